"""Containers in memory: what inventory does, without Proxmox."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.apps.domain.errors import StepFailedError
from services.clients.inventory.interface import OnProgress, OnText
from services.clients.inventory.values import (
    Container,
    Defaults,
    NewContainer,
    Placement,
    Probe,
    Ref,
    RunningTask,
    Scan,
    Task,
    Wanted,
)
from services.common.core.errors import (
    BusyError,
    DomainError,
    ForbiddenError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)

GIGABYTE = float(1024**3)


class Packed(NamedTuple):
    """A container with what is in it, as an archive or a snapshot has it."""

    container: Container
    files: dict[str, str]
    image: str
    volumes: dict[str, str]
    has_docker: bool


class FakeContainers:
    """One host with two nodes.

    `broken` names calls that fail, with how often they fail still; what is brought up with a definition that holds one
    of the `silent` words does not answer.
    """

    def __init__(self) -> None:
        self.containers: dict[int, Container] = {}
        self.reserved: dict[str, int] = {}
        self.files: dict[tuple[int, str], str] = {}
        self.docker: set[int] = set()
        self.commands: list[tuple[str, ...]] = []
        self.broken: dict[str, int] = {}
        self.failure: dict[str, DomainError] = {}
        self.lost_tasks = 0
        self.answers = True
        self.can_snapshot = True
        self.unpullable: DomainError | None = None
        self.strangers: set[int] = set()
        self.wrecks: set[int] = set()
        self.hung = asyncio.Event()
        self.hangs = ""
        self.silent: set[str] = set()
        self.archives: dict[str, Packed] = {}
        self.restored_to: list[str] = []
        self.snapshots: dict[tuple[int, str], Packed] = {}
        self.images: dict[int, str] = {}
        self.volumes: dict[int, dict[str, str]] = {}
        self.complete = True

    def _call(self, name: str) -> None:
        if self.broken.get(name, 0) > 0:
            self.broken[name] -= 1
            raise UnavailableError(f"{name} did not work")
        if name in self.failure:
            raise self.failure[name]

    async def place(self, wanted: Wanted) -> Placement:
        self._call("place")
        return Placement(host_id=wanted.host_id or 1, node=wanted.node or "pve1", oci=True, exec_mode="ssh")

    async def get_defaults(self) -> Defaults:
        return Defaults(
            memory=2048,
            cores=2,
            disk_size=20,
            swap=512,
            bridge="vmbr0",
            gateway="10.0.0.1",
            nameservers=("8.8.8.8",),
        )

    async def reserve_vmid(self, host_id: int, owner: str) -> int:
        self._call("reserve")
        if owner not in self.reserved:
            used = self.strangers | set(self.reserved.values())
            self.reserved[owner] = next(vmid for vmid in range(9000, 9999) if vmid not in used)
        return self.reserved[owner]

    async def release_vmid(self, host_id: int, owner: str) -> None:
        self._call("release_vmid")
        self.reserved.pop(owner, None)

    async def create(self, ref: Ref, owner: str, new: NewContainer) -> Task:
        self._call("create")
        if ref.vmid in self.strangers:
            raise _busy("VMID_TAKEN", f"the container id {ref.vmid} is taken")
        if ref.vmid in self.wrecks:
            raise _busy("CREATION_BROKEN", f"the creation of container {ref.vmid} was broken off")
        made = ref.vmid not in self.containers
        known = self.containers.setdefault(ref.vmid, _stopped(ref, owner, new.hostname))
        if known.owner != owner:
            raise StepFailedError(f"{ref.vmid} is not of {owner}")
        if made:
            self.containers[ref.vmid] = dataclasses.replace(known, memory=new.memory * 1024.0**2)
        if made and new.oci:
            self.images[ref.vmid] = new.template
            self.volumes[ref.vmid] = {path: "" for path, _ in new.mounts}
        return _task(ref)

    async def act(self, action: str, ref: Ref, *, owner: str) -> Task:
        self._call(action)
        if action == "destroy" and ref.vmid in self.wrecks:
            self.wrecks.discard(ref.vmid)
            return _task(ref)
        container = self._own(ref, owner)
        if action == "destroy":
            del self.containers[ref.vmid]
            self.volumes.pop(ref.vmid, None)
        elif action == "stop":
            self.containers[ref.vmid] = dataclasses.replace(container, status="stopped", address="")
        else:
            address = f"10.0.0.{ref.vmid % 250}"
            self.containers[ref.vmid] = dataclasses.replace(container, status="running", address=address)
        return _task(ref)

    async def mark(self, action: str, ref: Ref, *, owner: str, instead_of: str = "") -> None:
        self._call(action)
        container = self.containers[ref.vmid]
        if action == "adopt":
            if container.owner not in ("", owner, instead_of):
                raise StepFailedError(f"{ref.vmid} is not of {owner}")
            if ref.vmid in {vmid for other, vmid in self.reserved.items() if other != owner}:
                raise _busy("VMID_TAKEN", f"the container id {ref.vmid} is taken")
            self.reserved[owner] = ref.vmid
        marks = owner if action == "adopt" else ""
        self.containers[ref.vmid] = dataclasses.replace(container, owner=marks, named_owner=marks)

    async def clone(self, source: Ref, source_owner: str, *, target: Ref, owner: str, hostname: str) -> Task:
        copied = self._own(source, source_owner)
        if copied.status == "running" and not self.can_snapshot:
            raise _busy("CONTAINER_RUNNING", f"container {source.vmid} runs on a storage without snapshots")
        self._call("clone")
        if self.hangs == "clone":
            self.hung.set()
            await asyncio.Event().wait()
        self.containers.setdefault(target.vmid, _stopped(target, owner, hostname))
        if source.vmid in self.docker:
            self.docker.add(target.vmid)
        return _task(target)

    async def configure(self, ref: Ref, owner: str, *, changes: Mapping[str, Any]) -> Task:
        container = self._own(ref, owner)
        memory = changes.get("memory_mb", container.memory / 1024**2) * 1024**2
        self.containers[ref.vmid] = dataclasses.replace(container, memory=memory)
        return _task(ref)

    async def snapshot(self, action: str, ref: Ref, *, owner: str, name: str) -> Task:
        self._own(ref, owner)
        self._call(f"snapshot {action}")
        taken, key = self.snapshots, (ref.vmid, name)
        if action == "make" and not self.can_snapshot:
            raise PreconditionError(f"container {ref.vmid} lies on a storage without snapshots")
        if action == "make":
            taken.setdefault(key, self._pack(ref.vmid))
        elif action == "delete":
            taken.pop(key, None)
        elif key in taken:
            self._unpack(ref, taken[key])
        else:
            raise StepFailedError(f"snapshot '{name}' does not exist")
        return _task(ref)

    async def drop_snapshots(self, ref: Ref, owner: str, *, min_age_s: int) -> Sequence[str]:
        self._own(ref, owner)
        self._call("drop_snapshots")
        left = [name for vmid, name in self.snapshots if vmid == ref.vmid and name.startswith("proximity-")]
        for name in left:
            del self.snapshots[ref.vmid, name]
        return left

    async def migrate(self, ref: Ref, owner: str, *, node: str) -> Task:
        if any(vmid == ref.vmid for vmid, _ in self.snapshots):
            raise StepFailedError("Proxmox: can't migrate CT - check log")
        self.containers[ref.vmid] = dataclasses.replace(self._own(ref, owner), node=node)
        return _task(ref)

    async def move_volume(self, source: Ref, source_owner: str, *, target: Ref, owner: str) -> Task:
        self._call("move_volume")
        if source.vmid not in self.containers:
            return Task(source.host_id, source.node, "")
        if self._own(source, source_owner).status == "running":
            raise StepFailedError(f"container {source.vmid} runs")
        self._own(target, owner)
        left = self.volumes.get(source.vmid, {})
        if not left:
            return Task(source.host_id, source.node, "")
        path = next(iter(left))
        if path in self.volumes.setdefault(target.vmid, {}):
            raise StepFailedError(f"container {target.vmid} has a volume at {path} already")
        self.volumes[target.vmid][path] = left.pop(path)
        return Task(source.host_id, source.node, "", path)

    async def restore_beside(
        self, ref: Ref, owner: str, *, archive: str, hostname: str, storage: str
    ) -> Task:
        self.restored_to.append(storage)
        if ref.vmid not in self.containers and archive in self.archives:
            self._unpack(ref, self.archives[archive])
            self.containers[ref.vmid] = dataclasses.replace(
                self.containers[ref.vmid], vmid=ref.vmid, node=ref.node, name=hostname, owner=owner
            )
        self.containers.setdefault(ref.vmid, _stopped(ref, owner, hostname))
        return _task(ref)

    def archive(self, vmid: int) -> str:
        """Make an archive of a container, as backups has it done, and return its name."""
        name = f"backup:{vmid}-{len(self.archives)}"
        self.archives[name] = self._pack(vmid)
        return name

    def _pack(self, vmid: int) -> Packed:
        files = {path: text for (owner, path), text in self.files.items() if owner == vmid}
        return Packed(
            self.containers[vmid],
            files,
            self.images.get(vmid, ""),
            dict(self.volumes.get(vmid, {})),
            vmid in self.docker,
        )

    def _unpack(self, ref: Ref, packed: Packed) -> None:
        self.containers[ref.vmid] = dataclasses.replace(packed.container, status="stopped", address="")
        self.files = {key: text for key, text in self.files.items() if key[0] != ref.vmid}
        self.files |= {(ref.vmid, path): text for path, text in packed.files.items()}
        self.images[ref.vmid], self.volumes[ref.vmid] = packed.image, dict(packed.volumes)
        (self.docker.add if packed.has_docker else self.docker.discard)(ref.vmid)

    async def restore(self, ref: Ref, owner: str, *, archive: str, storage: str) -> Task:
        self._call("restore")
        self.restored_to.append(storage)
        if self._own(ref, owner).status == "running":
            running = BusyError(f"container {ref.vmid} runs")
            running.reason = "CONTAINER_RUNNING"  # type: ignore[misc]  # as the wire brings it
            raise running
        self.snapshots = {key: one for key, one in self.snapshots.items() if key[0] != ref.vmid}
        self._unpack(ref, self.archives[archive])
        return _task(ref)

    async def pull_image(self, host_id: int, node: str, *, image: str, storage: str) -> Task:
        self._call("pull")
        if self.unpullable:
            raise self.unpullable
        return Task(host_id, node, "", f"local:vztmpl/{image}")

    async def finish(self, task: Task, on_progress: OnProgress) -> str:
        await on_progress(50, [])
        if self.lost_tasks:
            self.lost_tasks -= 1
            raise NotFoundError(f"pve knows no task {task.upid}")
        return task.result

    async def list_tasks(self, ref: Ref) -> Sequence[RunningTask]:
        return ()

    async def stop_task(self, task: Task) -> None:
        return None

    async def find(self, ref: Ref, *, timeout: float = 10.0) -> Container | None:
        self._call("find")
        container = self.containers.get(ref.vmid)
        paths = tuple(self.volumes.get(ref.vmid, ()))
        return dataclasses.replace(container, mounts=paths) if container else None

    async def find_owned(
        self, owner: str, *, host_id: int, hostname: str, timeout: float = 60.0
    ) -> Sequence[Container]:
        self._call("find_owned")
        return [one for one in self.containers.values() if one.owner == owner]

    async def scan(self, host_id: int | None = None, *, with_addresses: bool = False) -> Scan:
        if not self.complete:
            return Scan((), frozenset(), (1,))
        return Scan(tuple(self.containers.values()), frozenset({1}))

    async def measure(self, host_id: int, *, timeout: float) -> dict[int, Container]:
        return dict(self.containers) if self.complete else {}

    async def find_web_port(self, ref: Ref) -> int | None:
        return 80

    async def execute(
        self,
        ref: Ref,
        owner: str,
        *,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        self._own(ref, owner)
        self.commands.append(tuple(argv))
        text = " ".join(argv)
        if stdin:
            self._call("push")
            compose, values = (base64.b64decode(line).decode() for line in stdin.splitlines())
            folder = text.partition("mkdir -p ")[2].split()[0]
            self.files[ref.vmid, f"{folder}/compose.yaml"] = compose
            self.files[ref.vmid, f"{folder}/.env"] = values
        if "docker.io" in text:
            self.docker.add(ref.vmid)
        if "docker" in text and "install" not in text and ref.vmid not in self.docker:
            return 127
        return 0

    async def push_file(self, ref: Ref, owner: str, *, path: str, content: str, mode: int) -> None:
        self._own(ref, owner)
        self._call("push")
        self.files[ref.vmid, path] = content

    async def probe(
        self,
        ref: Ref,
        owner: str,
        *,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
    ) -> Probe:
        container = self._own(ref, owner)
        definition = self.files.get((ref.vmid, "/opt/proximity/compose.yaml"), "")
        definition += self.images.get(ref.vmid, "")
        answers = self.answers and not any(word in definition for word in self.silent)
        return Probe(answers, container.address, "" if answers else "refused")

    def _own(self, ref: Ref, owner: str) -> Container:
        container = self.containers.get(ref.vmid)
        if container is None or container.owner != owner:
            raise ForbiddenError(f"container {ref.vmid} is not of {owner}")
        return container


def _stopped(ref: Ref, owner: str, name: str) -> Container:
    return Container(
        host_id=ref.host_id,
        vmid=ref.vmid,
        node=ref.node,
        name=name,
        status="stopped",
        memory=GIGABYTE,
        disk=8 * GIGABYTE,
        cpus=2,
        owner=owner,
    )


def _busy(reason: str, message: str) -> BusyError:
    error = BusyError(message)
    error.reason = reason  # type: ignore[misc]  # as the wire brings it
    return error


def _task(ref: Ref) -> Task:
    return Task(ref.host_id, ref.node, f"UPID:{ref.node}:{ref.vmid}")
