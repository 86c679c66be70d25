"""Plans of restores as a new container: the node, the volume id of the archive on that host, and the obstacles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from services.inventory.domain.architectures import ALSO_RUNS
from services.inventory.domain.archive_plans import ArchiveSummary
from services.inventory.domain.disks import Disk, choose_storage, list_wanted, parse_disks
from services.inventory.domain.links import parse_links
from services.inventory.domain.migration import find_bridge_obstacle, find_memory_obstacle
from services.inventory.domain.placement import Candidate, parse_version
from services.inventory.domain.storages import StorageOnNode

_GIB = 1 << 30  # bytes: sizes are shown in binary units, as Proxmox shows them
_EXPANSION = 4  # of an archive whose volumes have no limit: zstd halves or thirds most data


@dataclass(frozen=True, kw_only=True)
class ArchiveSource:
    """An archive as the host that made it names it.

    Attributes:
        backup_id: in its notes; empty where it is not known.
        size: bytes; 0 where it is not known.
    """

    host_id: int
    volume_id: str
    backup_id: str = ""
    size: float = 0

    @property
    def file_name(self) -> str:
        """Its name without the storage: the same on every storage that has it."""
        return self.volume_id.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """A restore to plan.

    Attributes:
        host_id: for the new container.
        node: for it; empty: any.
        preferred: the node that is taken if it fits, where none is named.
        storage: wanted for the root disk.
        required_storage: that the root disk must be on; empty: any.
        is_foreign: the archive may be of another platform, and its container gets a network and limits of its own.
    """

    source: ArchiveSource
    host_id: int
    node: str = ""
    preferred: str = ""
    storage: str = ""
    required_storage: str = ""
    is_foreign: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedDisk:
    """A volume that a restore makes; `is_archived`: its data is in the archive, and it is not made empty."""

    disk: Disk
    storage: str
    size: float
    is_archived: bool

    def describe(self) -> str:
        """For a person: `rootfs (/, 8 GB) on local-zfs`."""
        size = f"{self.size / _GIB:g} GB" if self.size else "no limit"
        empty = "" if self.is_archived else ", empty: it is not in the archive"
        return f"{self.disk.key} ({self.disk.path}, {size}) on {self.storage}{empty}"


@dataclass(frozen=True, kw_only=True)
class RestorePlan:
    """A restore as a new container; sizes in bytes.

    Attributes:
        archive: volume id on this host; empty where it has none.
        storage: of the root disk.
        required: on the storage with least room left.
        free: there.
        networks: of the new container, for a person.
        warnings: what differs from the original.
        obstacles: why it is not possible; empty: it is.
        archived: None where the archive was not found or cannot be read.
    """

    host_id: int
    host_name: str
    node: str = ""
    archive: str = ""
    storage: str = ""
    required: float = 0
    free: float = 0
    disks: tuple[PlannedDisk, ...] = ()
    networks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    archived: ArchiveSummary | None = None

    @property
    def total_required(self) -> float:
        """Sum of the sizes of the volumes, on all storages."""
        return sum(disk.size for disk in self.disks)


@dataclass(frozen=True, kw_only=True)
class RestoreTarget:
    """A node that may get the container.

    Attributes:
        storages: of its host, on all nodes.
        bridges: None where the node does not list them to these credentials.
    """

    candidate: Candidate
    storages: Sequence[StorageOnNode]
    bridges: AbstractSet[str] | None


@dataclass(frozen=True)
class NodePlan:
    """Layout of the disks on a node, and the first reason why the container cannot go there; empty: it can."""

    disks: tuple[PlannedDisk, ...] = field(default=())
    required: float = 0
    free: float = 0
    obstacle: str = ""


def plan_on_node(
    saved: Mapping[str, Any],
    target: RestoreTarget,
    *,
    archive: str,
    archive_size: float,
    made_by: str,
    request: PlanRequest,
) -> NodePlan:
    """Lay the volumes of an archive out on a node, and find the first reason why they cannot go there.

    Args:
        saved: the configuration in the archive.
        target: the node.
        archive: its volume id there.
        archive_size: bytes.
        made_by: version of Proxmox VE that made it; empty where it is not known.
        request: the restore to plan.
    """
    one = target.candidate
    here = {each.name: each for each in target.storages if each.node == one.node and each.available}
    if obstacle := _find_host_obstacle(saved, one, made_by=made_by):
        return NodePlan(obstacle=obstacle)
    name = archive.partition(":")[0]
    if name not in here:
        return NodePlan(obstacle=f"it does not see the storage {name!r} with the archive")
    rooms = {each.name: each.total - each.used for each in here.values() if "rootdir" in each.content}
    if not rooms:
        return NodePlan(obstacle="it has no storage for containers")
    if request.required_storage and request.required_storage not in rooms:
        return NodePlan(obstacle=f"it has no storage {request.required_storage!r} for containers")
    storage = request.required_storage or request.storage
    disks = plan_disks(saved, rooms, storage=storage, archive_size=archive_size)
    if not disks:
        return NodePlan(obstacle=f"the configuration in {archive} names no volume")
    needed: dict[str, float] = {}
    for disk in disks:
        needed[disk.storage] = needed.get(disk.storage, 0.0) + disk.size
    # The restore fails where room runs out first, which need not be the storage with most to take.
    tightest = min(needed, key=lambda each: rooms[each] - needed[each])
    obstacle = ""
    if rooms[tightest] < needed[tightest]:
        obstacle = (
            f"its storage {tightest!r} has {rooms[tightest] / _GIB:.1f} GiB free; the volumes of the archive need "
            f"{needed[tightest] / _GIB:.1f} GiB there"
        )
    if not request.is_foreign:
        obstacle = obstacle or find_bridge_obstacle(saved, target.bridges) or find_memory_obstacle(saved, one)
    return NodePlan(disks, needed[tightest], rooms[tightest], obstacle)


def plan_disks(
    saved: Mapping[str, Any], rooms: Mapping[str, float], *, storage: str, archive_size: float
) -> tuple[PlannedDisk, ...]:
    """Choose a storage for each volume of an archive, as the restore does.

    Args:
        saved: the configuration in the archive.
        rooms: free bytes by storage.
        storage: wanted for the root disk.
        archive_size: bytes, from which a volume without a limit is estimated.
    """
    names = sorted(rooms, key=lambda name: (-rooms[name], name))
    found = []
    for disk in parse_disks(saved):
        if disk.path and disk.is_volume:
            chosen = choose_storage(names, list_wanted(disk, storage))
            size = disk.size_gb * _GIB or (archive_size * _EXPANSION if disk.is_archived else 0.0)
            found.append(PlannedDisk(disk=disk, storage=chosen, size=size, is_archived=disk.is_archived))
    return tuple(found)


def _find_host_obstacle(saved: Mapping[str, Any], one: Candidate, *, made_by: str) -> str:
    if not one.online:
        return "it is offline, or its host does not answer"
    wanted = str(saved.get("arch") or "")
    runs = {one.architecture, *ALSO_RUNS.get(one.architecture, ())}
    if wanted and one.architecture and wanted not in runs:
        return f"it is of {one.architecture}, and the container of {wanted}"
    # A container's options come with releases; an older one refuses those it does not know, after it has begun.
    if made_by and one.version and parse_version(one.version)[:1] < parse_version(made_by)[:1]:
        return f"it runs Proxmox VE {one.version}; the archive was made by {made_by}, and an older release may refuse it"
    return ""


def describe_networks(saved: Mapping[str, Any]) -> tuple[str, ...]:
    """Describe the network devices that come back with an archive: each with a new hardware address."""
    found = []
    for link in parse_links(saved):
        static = [str(each) for each in link.list_static()]
        address = (
            f"another address than {', '.join(static)}" if static else link.ip or link.ip6 or "no address"
        )
        found.append(f"net{link.number} on {link.place}: {address}")
    return tuple(found)


def describe_differences(saved: Mapping[str, Any], *, is_elsewhere: bool, is_full_root: bool) -> list[str]:
    """Describe how the new container differs from the original."""
    disks = [one for one in parse_disks(saved) if one.path]
    lines = [
        f"{one.describe()} is not in the archive, and is made empty"
        for one in disks
        if one.is_volume and not one.is_archived
    ]
    lines += [
        f"{one.describe()} is a path of the node, and is left out" for one in disks if not one.is_volume
    ]
    subnets = [str(each.network) for link in parse_links(saved) for each in link.list_static()]
    if is_elsewhere and subnets:
        lines.append(
            f"it gets another address of {', '.join(subnets)}, which must be a network of the other host too; "
            "change it in Proxmox where it is not"
        )
    if not is_full_root and str(saved.get("unprivileged", "0")) != "1":
        lines.append("the container is privileged: an API token needs Sys.Modify on / to restore it")
    return lines
