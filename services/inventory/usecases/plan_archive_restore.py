"""PlanArchiveRestore: the node that sees an archive, and the room for its volumes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from services.inventory.domain.archive_plans import ArchivePlan, check_portable, list_unrestored
from services.inventory.domain.disks import (
    choose_storage,
    list_wanted,
    parse_configuration,
    parse_description,
    parse_disks,
    read_disk_gb,
)
from services.inventory.domain.errors import NodeUnknownError, NoRoomError, StorageNotFoundError
from services.inventory.domain.interfaces import ProxmoxFleet
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.archives import (
    ArchiveVolume,
    check_name,
    find_archive,
    read_configuration_file,
)
from services.inventory.proxmox.marks import find_named_owner
from services.inventory.proxmox.storages import list_storages

_GIB = 1 << 30  # bytes: sizes are shown in binary units, as Proxmox shows them
_EXPANSION = 4  # of an archive whose volumes have no limit: zstd halves or thirds most data


async def plan_archive_restore(
    fleet: ProxmoxFleet, host_id: int, *, archive: str, node: str = "", storage: str = ""
) -> ArchivePlan:
    """Find a node that sees an archive and has room for its volumes; nothing is changed.

    The volumes are laid out as RestoreContainer does it.

    Raises:
        ArchiveUnsuitableError: it is none of a container, or brings options of its former node back.
        ArchiveNotFoundError: no storage has it.
        ArchiveUnreadableError: its beginning is gone.
        NodeUnknownError: `node` does not see its storage.
        StorageNotFoundError: the node does not have `storage`, or none for containers.
        NoRoomError: too little space is free.
        HostUnreachableError: the host, or a storage that may have it, does not answer.
    """
    check_name(archive)
    client = await fleet.get_client(host_id)
    found = await find_archive(client, archive, node=node)
    if node and found.node != node:
        raise NodeUnknownError(
            f"node: {node} does not see the archive {archive}; {found.node} does: name that one, or copy the archive"
        )
    text = await read_configuration_file(client, found)
    saved = parse_configuration(text)
    check_portable(saved, is_full_root=client.access.is_full_root)
    name, required = await _find_room(client, found, saved=saved, storage=storage)
    return ArchivePlan(
        node=found.node,
        storage=name,
        size=found.size,
        created_at=found.created_at,
        protected=found.protected,
        vmid=found.vmid,
        owner=find_named_owner({"description": parse_description(text)}) or "",
        hostname=saved.get("hostname", ""),
        architecture=saved.get("arch", ""),
        disk_gb=read_disk_gb(saved),
        required=required,
        omitted=list_unrestored(saved),
    )


async def _find_room(
    client: ProxmoxApi, archive: ArchiveVolume, *, saved: Mapping[str, str], storage: str
) -> tuple[str, float]:
    """Return the storage of the root disk, and the sum of the sizes of all volumes."""
    node = archive.node
    free = {
        str(one["storage"]): float(one.get("avail") or 0)
        for one in await list_storages(client, node, content="rootdir")
    }
    if not free or (storage and storage not in free):
        wanted = repr(storage) if storage else "at all"
        raise StorageNotFoundError(f"storage: node {node} has no storage {wanted} for containers")
    needed: dict[str, float] = defaultdict(float)
    root = ""
    for disk in parse_disks(saved):
        if not disk.path or not disk.is_volume:
            continue
        name = choose_storage(list(free), list_wanted(disk, storage))
        needed[name] += disk.size_gb * _GIB or archive.size * _EXPANSION
        root = name if disk.key == "rootfs" else root
    for name, required in needed.items():
        if free[name] < required:
            raise NoRoomError(
                f"the volumes of the archive need {required / _GIB:.1f} GB, and storage {name} of node {node} has "
                f"{free[name] / _GIB:.1f} GB free; free some of it, or name another storage"
            )
    return root, sum(needed.values())
