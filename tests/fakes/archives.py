"""Archives and snapshots of containers in memory: the state that `FakeContainers` adds its RPCs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from services.clients.inventory.archive_values import (
    Archive,
    ArchiveCheckOutcome,
    ArchiveListing,
    BackupStorage,
    ContainerVolume,
    NewArchive,
    NewNetwork,
    RunningBackup,
    VolumeComparison,
)
from services.clients.inventory.restore_plans import ArchivedContainer, RestoreOrder, RestorePlacement
from services.clients.inventory.values import Container, Ref, Task
from services.common.core.clock import now
from services.common.core.errors import (
    NotFoundError,
)
from tests.fakes.tasks import FakeTasks, busy, not_ours


@dataclass(frozen=True)
class Packed:
    """A container with what is in it, as an archive or a snapshot has it."""

    container: Container
    files: dict[str, str]
    image: str
    volumes: dict[str, str]
    has_docker: bool
    listing: Archive | None = None


class FakeArchives(FakeTasks):
    """One host with two nodes.

    Attributes:
        wrecks: ids of what creations left that were broken off.
        unarchived: volumes that archives lack.
        is_fragile: whether a restore that fails leaves no container.
        complete: whether hosts and storages answer.
        silent_storages: those that do not.
        archive_size: bytes of the archives that are made.
        storages: by host.
        running_backups: vzdumps that others began.
        networks: what restores were given, by container id.
        architecture: of the containers in archives.
        seen_by: hosts that see the archives of the others.
        offline: nodes that are down.
        plans: restores as a new container that were planned.
        check: outcome of checks of archives; those that were checked are in `checked`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.containers: dict[int, Container] = {}
        self.files: dict[tuple[int, str], str] = {}
        self.docker: set[int] = set()
        self.images: dict[int, str] = {}
        self.volumes: dict[int, dict[str, str]] = {}
        self.archives: dict[str, Packed] = {}
        self.protection: dict[str, bool] = {}
        self.restored_to: list[str] = []
        self.snapshots: dict[tuple[int, str], Packed] = {}
        self.wrecks: set[int] = set()
        self.unarchived: list[ContainerVolume] = []
        self.is_fragile = False
        self.complete = True
        self.silent_storages: set[str] = set()
        self.disabled_storages: set[str] = set()
        self.archive_size = 3 << 20
        self.storages: dict[int, list[BackupStorage]] = {
            1: [BackupStorage(name=name, node="pve1", total=1e12, used=1e9) for name in ("local", "nas")],
            2: [BackupStorage(name=name, node="pve1", total=1e12, used=1e9) for name in ("local", "nas-2")],
        }
        self.running_backups: list[RunningBackup] = []
        self.networks: dict[int, NewNetwork | None] = {}
        self.architecture = "amd64"
        self.seen_by: set[int] = set()
        self.check = ArchiveCheckOutcome(status="intact", node="pve1")
        self.checked: list[str] = []
        self.offline: set[str] = set()
        self.plans: list[RestoreOrder] = []

    async def choose_backup_storage(self, ref: Ref, *, owner: str) -> str:
        self.call("choose_backup_storage")
        self.own(ref, owner)
        names = [one.name for one in self.storages.get(ref.host_id, ())]
        away = self.silent_storages | self.disabled_storages
        return next((name for name in names if name not in away), names[0])

    async def backup_container(self, ref: Ref, *, owner: str, new: NewArchive) -> Task:
        self.call("backup_container")
        for volume_id, one in self.archives.items():
            if one.listing is not None and one.listing.has_backup_id(new.backup_id):
                return Task(ref.host_id, ref.node, "", volume_id)
        self.own(ref, owner)
        volume_id = f"{new.storage or 'local'}:backup/vzdump-lxc-{ref.vmid}-{len(self.archives)}.tar.zst"
        if "vzdump" not in self.failing:
            self.add_archive(ref.vmid, volume_id, notes=f"proximity-backup: {new.backup_id}\n{new.notes}")
        elif new.mode == "stop":
            self.stop(ref)  # broken off in the middle
        task = self.begin("vzdump", ref, result=volume_id)
        self.lose("vzdump")
        return dataclasses.replace(task, result="")

    def add_archive(self, vmid: int, volume_id: str, *, notes: str = "") -> None:
        """Have an archive of a container."""
        name = volume_id.rpartition("/")[2]
        storage = volume_id.partition(":")[0]
        listing = Archive(volume_id, storage, name, self.archive_size, notes, vmid=vmid, created_at=now())
        self.archives[volume_id] = dataclasses.replace(self.pack(vmid), listing=listing)

    async def restore_container(
        self,
        ref: Ref,
        *,
        owner: str,
        archive: str,
        storage: str = "",
        lose_volumes: Sequence[str] = (),
        beside: bool = False,
        hostname: str = "",
        network: NewNetwork | None = None,
    ) -> Task:
        self.call("restore_container")
        self.restored_to.append(storage)
        self.networks[ref.vmid] = network
        if ref.vmid in self.wrecks:
            raise busy("CREATION_BROKEN", f"a restore of container {ref.vmid} was broken off")
        if archive not in self.archives:
            raise NotFoundError(f"there is no archive {archive}")
        if beside and ref.vmid not in self.containers:
            self._unpack(ref, self.archives[archive], owner=owner, hostname=hostname)
        elif not beside:
            self._overwrite(ref, owner, archive)
        return self.begin("vzrestore", ref)

    async def check_archive(self, host_id: int, archive: str, *, limit_s: int) -> ArchiveCheckOutcome:
        self.call("check_archive")
        if archive not in self.archives:
            raise NotFoundError(f"there is no archive {archive}")
        self.checked.append(archive)
        return self.check

    async def plan_restore(self, order: RestoreOrder) -> RestorePlacement:
        self.call("plan_restore")
        self.plans.append(order)
        if order.host_id not in self.storages:
            raise NotFoundError(f"there is no host {order.host_id}")
        place = RestorePlacement(host_id=order.host_id, host_name=f"host-{order.host_id}")
        if order.host_id not in (order.source_host_id, *self.seen_by):
            return dataclasses.replace(
                place, obstacles=(f"{place.host_name} has no storage with the archive",)
            )
        if order.archive not in self.archives and order.foreign:
            raise NotFoundError(f"{place.host_name} has no archive {order.archive}")
        if order.archive not in self.archives:
            return dataclasses.replace(
                place, obstacles=(f"{place.host_name} has no archive {order.archive}",)
            )
        packed = self.archives[order.archive]
        node = order.node or order.preferred_node or "pve1"
        obstacles = (f"node {node}: it is offline",) if node in self.offline else ()
        return dataclasses.replace(
            place,
            node=node,
            archive=order.archive,
            storage=order.required_storage or order.storage or "local",
            obstacles=obstacles,
            archived=ArchivedContainer(
                size=packed.listing.size if packed.listing else self.archive_size,
                created_at=packed.listing.created_at if packed.listing else None,
                vmid=packed.container.vmid,
                owner=packed.container.owner,
                hostname=packed.container.name,
                architecture=self.architecture,
                disk_gb=packed.container.disk / 1024**3,
                required=packed.container.disk,
                omitted=tuple(one.description for one in self.unarchived),
            ),
        )

    def _overwrite(self, ref: Ref, owner: str, archive: str) -> None:
        known = self.containers.get(ref.vmid)
        if known is not None and self.own(ref, owner).status == "running":
            raise busy("CONTAINER_RUNNING", f"container {ref.vmid} runs")
        if "vzrestore" not in self.failing:
            self.snapshots = {key: one for key, one in self.snapshots.items() if key[0] != ref.vmid}
            self._unpack(ref, self.archives[archive], owner=owner, hostname=known.name if known else "")
        elif self.is_fragile:
            self.containers.pop(ref.vmid, None)

    async def list_unarchived_volumes(
        self, ref: Ref, *, owner: str, archive: str = ""
    ) -> Sequence[ContainerVolume]:
        self.lose("list_unarchived_volumes")
        if ref.vmid not in self.containers:
            raise NotFoundError(f"there is no container {ref.vmid}")
        return self.unarchived

    async def compare_volumes(self, ref: Ref, *, owner: str, archive: str) -> VolumeComparison:
        self.call("compare_volumes")
        destroyed = await self.list_unarchived_volumes(ref, owner=owner, archive=archive)
        root = ContainerVolume("rootfs", "rootfs (/, 8 GB on local)")
        return VolumeComparison(overwritten=(root,), destroyed=tuple(destroyed))

    async def list_archives(self, ref: Ref, *, storage: str = "") -> ArchiveListing:
        listings = [one.listing for one in self.archives.values() if one.listing is not None]
        found = (
            one
            for one in listings
            if (not ref.vmid or f"-{ref.vmid}-" in one.volume_id)
            and storage in {"", one.storage}
            and one.storage not in self.silent_storages | self.disabled_storages
        )
        # A disabled storage is in no list, and shows only when it is asked by its name.
        away = self.silent_storages | self.disabled_storages
        silent = away & {storage} if storage else self.silent_storages
        return ArchiveListing(tuple(found), self.complete and not silent)

    async def list_backup_storages(self, host_id: int) -> Sequence[BackupStorage]:
        self.call("list_backup_storages")
        return self.storages.get(host_id, ())

    async def list_running_backups(self, host_id: int, node: str) -> Sequence[RunningBackup]:
        self.call("list_running_backups")
        return [one for one in self.running_backups if one.node == node]

    async def update_archive(
        self, host_id: int, volume_id: str, *, protected: bool | None = None, notes: str | None = None
    ) -> None:
        if protected is not None:
            self.protection[volume_id] = protected

    async def delete_archive(self, host_id: int, volume_id: str) -> Task:
        if volume_id not in self.archives:
            return Task(host_id, "", "")
        if "imgdel" not in self.failing:
            del self.archives[volume_id]
        return self.begin("imgdel", Ref(host_id, 0, "pve1"))

    def stop(self, ref: Ref) -> None:
        """Have a container stopped."""
        stopped = dataclasses.replace(self.containers[ref.vmid], status="stopped", address="")
        self.containers[ref.vmid] = stopped

    def own(self, ref: Ref, owner: str) -> Container:
        """Return a container that carries the owner's mark; any other is refused."""
        container = self.containers.get(ref.vmid)
        if container is None:
            raise NotFoundError(f"there is no container {ref.vmid}")
        if container.owner != owner:
            raise not_ours(ref, owner)
        return container

    def pack(self, vmid: int) -> Packed:
        """Return a container with what is in it."""
        return Packed(
            self.containers[vmid],
            {path: text for (owner, path), text in self.files.items() if owner == vmid},
            self.images.get(vmid, ""),
            dict(self.volumes.get(vmid, {})),
            vmid in self.docker,
        )

    def _unpack(self, ref: Ref, packed: Packed, *, owner: str, hostname: str) -> None:
        self.put_back(ref, packed)
        self.containers[ref.vmid] = dataclasses.replace(
            self.containers[ref.vmid],
            host_id=ref.host_id,
            vmid=ref.vmid,
            node=ref.node,
            name=hostname or packed.container.name,
            owner=owner,
        )

    def put_back(self, ref: Ref, packed: Packed) -> None:
        """Have a container with what was in it, stopped."""
        self.containers[ref.vmid] = dataclasses.replace(packed.container, status="stopped", address="")
        self.files = {key: text for key, text in self.files.items() if key[0] != ref.vmid}
        self.files |= {(ref.vmid, path): text for path, text in packed.files.items()}
        self.images[ref.vmid], self.volumes[ref.vmid] = packed.image, dict(packed.volumes)
        (self.docker.add if packed.has_docker else self.docker.discard)(ref.vmid)
