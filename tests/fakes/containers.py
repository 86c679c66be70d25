"""Containers in memory: what inventory does, without Proxmox."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

from services.clients.inventory.metrics import MetricHistory
from services.clients.inventory.migration import MigrationTargets, TargetNode
from services.clients.inventory.values import (
    Container,
    ContainerChanges,
    Defaults,
    NewContainer,
    NodeCapacity,
    Placement,
    Ref,
    Scan,
    Task,
    Wanted,
)
from services.common.core.errors import BusyError, DomainError, NotFoundError, PreconditionError
from tests.fakes.container_insides import FakeInsides
from tests.fakes.tasks import busy, not_ours

GIGABYTE = float(1024**3)


class FakeContainers(FakeInsides):
    """Inventory's ContainerService.

    Attributes:
        reserved: container ids by owner.
        unpullable: why images are not to be had.
        strangers: ids of containers of others.
        nodes: what `list_capacity` answers.
        history: what `get_container_metrics` answers.
        targets: what `list_migration_targets` answers.
        names_mounts: whether `get_container` names mount points, as inventories of earlier releases do not.
        hangs: RPC that never answers; `hung` is set then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unpullable: DomainError | None = None
        self.strangers: set[int] = set()
        self.hung = asyncio.Event()
        self.hangs = ""
        self.names_mounts = True
        self.nodes: list[NodeCapacity] = []
        self.targets: tuple[TargetNode, ...] = tuple(
            TargetNode(node=node, online=True, free_memory=8e9) for node in ("pve1", "pve2")
        )
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
        paths = tuple(self.volumes.get(ref.vmid, ())) if self.names_mounts else None
        return dataclasses.replace(self.containers[ref.vmid], mounts=paths)

    async def list_migration_targets(self, ref: Ref, *, owner: str) -> MigrationTargets:
        self.call("list_migration_targets")
        if ref.vmid not in self.containers:
            raise NotFoundError(f"no container {ref.vmid}")
        node = self.own(ref, owner).node
        return MigrationTargets(node, tuple(one for one in self.targets if one.node != node))

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
