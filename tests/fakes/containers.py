"""Containers in memory: what inventory does, without Proxmox."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from collections.abc import Sequence

from services.clients.inventory.inspections import Inspected
from services.clients.inventory.interface import OnText
from services.clients.inventory.metrics import MetricHistory
from services.clients.inventory.migration import MigrationTargets, TargetNode
from services.clients.inventory.values import (
    Container,
    ContainerChanges,
    Defaults,
    NewContainer,
    NodeCapacity,
    Placement,
    Probe,
    Ref,
    Scan,
    Task,
    Wanted,
)
from services.common.core.errors import BusyError, DomainError, NotFoundError, PreconditionError
from tests.fakes.archives import busy, not_ours
from tests.fakes.restore_tests import FakeRestoreTests

GIGABYTE = float(1024**3)


class FakeContainers(FakeRestoreTests):
    """Inventory's ContainerService.

    Attributes:
        reserved: container ids by owner.
        commands: what was run inside.
        answers: whether ports answer; what runs of a definition with one of the `silent` words does not.
        can_snapshot: whether the storage has snapshots.
        unpullable: why images are not to be had.
        strangers: ids of containers of others.
        conflicts: sentences about addresses that others have too, by container id.
        nodes: what `list_capacity` answers.
        history: what `get_container_metrics` answers.
        inspected: what `read_inspection` answers, unless it fails with `inspection_fault`.
        targets: what `list_migration_targets` answers.
        output: what a command prints that reads the output of an app.
        hangs: RPC that never answers; `hung` is set then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[tuple[str, ...]] = []
        self.answers = True
        self.can_snapshot = True
        self.unpullable: DomainError | None = None
        self.strangers: set[int] = set()
        self.conflicts: dict[int, list[str]] = {}
        self.hung = asyncio.Event()
        self.hangs = ""
        self.silent: set[str] = set()
        self.nodes: list[NodeCapacity] = []
        self.inspected = Inspected(ports=())
        self.inspection_fault = ""
        self.targets: tuple[TargetNode, ...] = ()
        self.output: str | None = None
        self.history = MetricHistory("hour", 0, ())

    def add_container(self, ref: Ref, *, owner: str = "", name: str = "web", status: str = "stopped") -> None:
        """Have a container that the platform did not create."""
        self.containers[ref.vmid] = dataclasses.replace(_stopped(ref, owner, name), status=status)

    async def place_container(self, wanted: Wanted) -> Placement:
        self.call("place_container")
        return Placement(host_id=wanted.host_id or 1, node=wanted.node or "pve1", oci=True, exec_mode="ssh")

    async def list_capacity(self) -> list[NodeCapacity]:
        self.call("list_capacity")
        return list(self.nodes)

    async def get_deployment_defaults(self) -> Defaults:
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
        self.call("reserve_vmid")
        if owner not in self.reserved:
            used = self.strangers | set(self.reserved.values())
            self.reserved[owner] = next(vmid for vmid in range(9000, 9999) if vmid not in used)
        return self.reserved[owner]

    async def release_vmid(self, host_id: int, owner: str) -> None:
        self.call("release_vmid")
        self.reserved.pop(owner, None)

    async def create_container(self, ref: Ref, *, owner: str, new: NewContainer) -> Task:
        self.call("create_container")
        if ref.vmid in self.strangers:
            raise busy("VMID_TAKEN", f"the container id {ref.vmid} is taken")
        if ref.vmid in self.wrecks:
            raise busy("CREATION_BROKEN", f"the creation of container {ref.vmid} was broken off")
        made = ref.vmid not in self.containers
        known = self.containers.setdefault(ref.vmid, _stopped(ref, owner, new.hostname))
        if known.owner != owner:
            raise not_ours(ref, owner)
        if made:
            self.containers[ref.vmid] = dataclasses.replace(known, memory=new.memory * 1024.0**2)
        if made and new.oci:
            self.images[ref.vmid] = new.template
            self.volumes[ref.vmid] = {path: "" for path, _ in new.mounts}
        return self.begin("vzcreate", ref)

    async def start_container(self, ref: Ref, *, owner: str) -> Task:
        self.call("start_container")
        return self._start("vzstart", ref, owner)

    async def reboot_container(self, ref: Ref, *, owner: str) -> Task:
        self.call("reboot_container")
        return self._start("vzreboot", ref, owner)

    def _start(self, kind: str, ref: Ref, owner: str) -> Task:
        container = self.own(ref, owner)
        if kind not in self.failing:
            address = f"10.0.0.{ref.vmid % 250}"
            self.containers[ref.vmid] = dataclasses.replace(container, status="running", address=address)
        return self.begin(kind, ref)

    async def stop_container(self, ref: Ref, *, owner: str) -> Task:
        self.call("stop_container")
        self.own(ref, owner)
        if "vzshutdown" not in self.failing:
            self.stop(ref)
        task = self.begin("vzshutdown", ref)
        self.lose("vzshutdown")
        return task

    async def destroy_container(self, ref: Ref, *, owner: str) -> Task:
        self.call("destroy_container")
        if ref.vmid not in self.wrecks:
            if ref.vmid not in self.containers:
                return Task(ref.host_id, ref.node, "")
            self.own(ref, owner)
        self.wrecks.discard(ref.vmid)
        self.containers.pop(ref.vmid, None)
        self.volumes.pop(ref.vmid, None)
        return self.begin("vzdestroy", ref)

    async def adopt_container(self, ref: Ref, *, owner: str, instead_of: str = "") -> None:
        self.call("adopt_container")
        container = self.containers[ref.vmid]
        if ref.vmid in {vmid for other, vmid in self.reserved.items() if other not in (owner, instead_of)}:
            raise busy("VMID_TAKEN", f"the container id {ref.vmid} is taken")
        if container.owner not in ("", owner, instead_of):
            raise not_ours(ref, owner)
        self.reserved[owner] = ref.vmid
        self.containers[ref.vmid] = dataclasses.replace(container, owner=owner, named_owner=owner)

    async def release_container(self, ref: Ref, *, owner: str) -> None:
        self.call("release_container")
        container = self.containers[ref.vmid]
        if container.owner not in ("", owner):
            raise not_ours(ref, owner)
        self.containers[ref.vmid] = dataclasses.replace(container, owner="", named_owner="")

    async def clone_container(
        self, source: Ref, *, source_owner: str, target: Ref, owner: str, hostname: str
    ) -> Task:
        copied = self.own(source, source_owner)
        if copied.status == "running" and not self.can_snapshot:
            raise busy("CONTAINER_RUNNING", f"container {source.vmid} runs on a storage without snapshots")
        self.call("clone_container")
        if self.hangs == "clone_container":
            self.hung.set()
            await asyncio.Event().wait()
        self.containers.setdefault(target.vmid, _stopped(target, owner, hostname))
        if source.vmid in self.docker:
            self.docker.add(target.vmid)
        return self.begin("vzclone", target)

    async def configure_container(self, ref: Ref, *, owner: str, changes: ContainerChanges) -> Task:
        container = self.own(ref, owner)
        memory = container.memory if changes.memory_mb is None else changes.memory_mb * 1024**2
        self.containers[ref.vmid] = dataclasses.replace(container, memory=memory)
        return self.begin("vzset", ref)

    async def snapshot_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        self.own(ref, owner)
        self.call("snapshot_container")
        if not self.can_snapshot:
            raise PreconditionError(f"container {ref.vmid} lies on a storage without snapshots")
        self.snapshots.setdefault((ref.vmid, name), self.pack(ref.vmid))
        return self.begin("vzsnapshot", ref)

    async def rollback_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        self.own(ref, owner)
        self.call("rollback_container")
        if (ref.vmid, name) not in self.snapshots:
            return self.begin("vzrollback", ref, failure=f"snapshot '{name}' does not exist")
        self.put_back(ref, self.snapshots[ref.vmid, name])
        return self.begin("vzrollback", ref)

    async def delete_snapshot(self, ref: Ref, *, owner: str, name: str) -> Task:
        self.own(ref, owner)
        self.call("delete_snapshot")
        self.snapshots.pop((ref.vmid, name), None)
        return self.begin("vzdelsnapshot", ref)

    async def drop_snapshots(self, ref: Ref, *, owner: str, min_age_s: int) -> Sequence[str]:
        self.own(ref, owner)
        self.call("drop_snapshots")
        left = [name for vmid, name in self.snapshots if vmid == ref.vmid and name.startswith("proximity-")]
        for name in left:
            del self.snapshots[ref.vmid, name]
        return left

    async def migrate_container(self, ref: Ref, *, owner: str, target_node: str) -> Task:
        if any(vmid == ref.vmid for vmid, _ in self.snapshots):
            return self.begin("vzmigrate", ref, failure="can't migrate CT - check log")
        self.containers[ref.vmid] = dataclasses.replace(self.own(ref, owner), node=target_node)
        return self.begin("vzmigrate", ref)

    async def move_volume(self, source: Ref, *, source_owner: str, target: Ref, owner: str) -> Task:
        self.call("move_volume")
        if source.vmid not in self.containers:
            return Task(source.host_id, source.node, "")
        if self.own(source, source_owner).status == "running":
            raise _running(source)
        self.own(target, owner)
        left = self.volumes.get(source.vmid, {})
        if not left:
            return Task(source.host_id, source.node, "")
        path = next(iter(left))
        if path in self.volumes.setdefault(target.vmid, {}):
            raise PreconditionError(f"container {target.vmid} has a volume at {path} already")
        self.volumes[target.vmid][path] = left.pop(path)
        return Task(source.host_id, source.node, "", path)

    def archive(self, vmid: int) -> str:
        """Make an archive of a container, as backups does, and return its volume id."""
        volume_id = f"backup:backup/vzdump-lxc-{vmid}-{len(self.archives)}.tar.zst"
        self.add_archive(vmid, volume_id)
        return volume_id

    async def pull_image(self, host_id: int, node: str, *, reference: str, storage: str = "") -> Task:
        self.call("pull_image")
        if self.unpullable:
            raise self.unpullable
        return Task(host_id, node, "", f"local:vztmpl/{reference}")

    async def get_container(self, ref: Ref, *, timeout: float = 10.0) -> Container:
        self.call("get_container")
        if ref.vmid not in self.containers:
            raise NotFoundError(f"there is no container {ref.vmid}")
        paths = tuple(self.volumes.get(ref.vmid, ()))
        return dataclasses.replace(self.containers[ref.vmid], mounts=paths)

    async def list_migration_targets(self, ref: Ref, *, owner: str) -> MigrationTargets:
        self.call("list_migration_targets")
        if ref.vmid not in self.containers:
            raise NotFoundError(f"no container {ref.vmid}")
        return MigrationTargets(self.own(ref, owner).node, self.targets)

    async def get_container_metrics(self, ref: Ref, *, owner: str, timeframe: str) -> MetricHistory:
        self.call("get_container_metrics")
        if ref.vmid not in self.containers:
            raise NotFoundError(f"no container {ref.vmid}")
        self.own(ref, owner)
        return dataclasses.replace(self.history, range=timeframe)

    async def find_owned_containers(
        self, owner: str, *, host_id: int, hostname: str, timeout: float = 60.0
    ) -> Sequence[Container]:
        self.call("find_owned_containers")
        return [one for one in self.containers.values() if one.owner == owner]

    async def list_containers(
        self,
        host_id: int | None = None,
        *,
        with_addresses: bool = False,
        brief: bool = False,
        timeout: float = 60.0,
    ) -> Scan:
        if not self.complete:
            return Scan((), frozenset(), (1,))
        return Scan(tuple(self.containers.values()), frozenset({1}))

    async def list_address_conflicts(self, ref: Ref) -> list[str]:
        return self.conflicts.get(ref.vmid, [])

    async def read_inspection(self, ref: Ref) -> Inspected:
        self.call("read_inspection")
        if self.containers[ref.vmid].status != "running":
            raise PreconditionError(f"container {ref.vmid} does not run")
        if self.inspection_fault:
            raise PreconditionError(self.inspection_fault)
        return self.inspected

    async def inspect_container(self, ref: Ref) -> int | None:
        return 80

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        container = self.own(ref, owner)
        if container.status != "running":
            raise PreconditionError(f"container {ref.vmid} does not run")
        self.commands.append(tuple(argv))
        if self.output is not None and "tail -c" in argv[-1]:
            await on_text(self.output)
        text = " ".join(argv)
        if stdin:
            self.call("exec")
            compose, values = (base64.b64decode(line).decode() for line in stdin.splitlines())
            folder = text.partition("mkdir -p ")[2].split()[0]
            self.files[ref.vmid, f"{folder}/compose.yaml"] = compose
            self.files[ref.vmid, f"{folder}/.env"] = values
        if "docker.io" in text:
            self.docker.add(ref.vmid)
        if "docker" in text and "install" not in text and ref.vmid not in self.docker:
            return 127
        return 0

    async def push_file(self, ref: Ref, *, owner: str, path: str, content: str, mode: int) -> None:
        self.own(ref, owner)
        self.call("push_file")
        self.files[ref.vmid, path] = content

    async def probe_port(
        self,
        ref: Ref,
        *,
        owner: str,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
        inside: bool = False,
    ) -> Probe:
        container = self.own(ref, owner)
        definition = self.files.get((ref.vmid, "/opt/proximity/compose.yaml"), "")
        definition += self.images.get(ref.vmid, "")
        answers = self.answers and not any(word in definition for word in self.silent)
        return Probe(answers, container.address, "" if answers else "refused")


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


def _running(ref: Ref) -> BusyError:
    return busy("CONTAINER_RUNNING", f"container {ref.vmid} runs")
