"""Backup archives on the storages of a host."""

from __future__ import annotations

from services.inventory.domain.containers import ProxmoxTask
from services.inventory.domain.errors import ArchiveNotFoundError
from services.inventory.domain.interfaces import ProxmoxFleet
from services.inventory.domain.patches import ArchiveChanges
from services.inventory.domain.storages import StorageOnNode
from services.inventory.proxmox.archives import ArchiveVolume, find_archive, read_archives, replace_notes
from services.inventory.proxmox.storages import list_backup_storages as read_backup_storages


async def list_archives(
    fleet: ProxmoxFleet, host_id: int, *, vmid: int = 0, storage: str = ""
) -> tuple[list[ArchiveVolume], bool]:
    """List the archives of a container, or of all, newest first, and whether every storage answered."""
    return await read_archives(await fleet.get_client(host_id), vmid=vmid, storage=storage)


async def list_backup_storages(fleet: ProxmoxFleet, host_id: int) -> list[StorageOnNode]:
    """List the storages of a host by node, with those that do not take backups.

    Raises:
        HostUnreachableError: the host does not answer.
    """
    return await read_backup_storages(await fleet.get_client(host_id))


async def update_archive(
    fleet: ProxmoxFleet,
    host_id: int,
    *,
    volume_id: str,
    changes: ArchiveChanges,
) -> None:
    """Change notes and protection; the mark that names the backup stays the first line of the notes.

    Raises:
        ArchiveNotFoundError: no storage has the archive.
        UnavailableError: a storage that may have it does not answer.
    """
    client = await fleet.get_client(host_id)
    archive = await find_archive(client, volume_id)
    notes = None if changes.notes is None else replace_notes(archive, changes.notes)
    await client.put(archive.path, notes=notes, protected=changes.protected)


async def delete_archive(fleet: ProxmoxFleet, host_id: int, *, volume_id: str) -> ProxmoxTask:
    """Delete an archive; for one that is gone there is nothing to do.

    Raises:
        UnavailableError: a storage that may have it does not answer.
    """
    client = await fleet.get_client(host_id)
    try:
        archive = await find_archive(client, volume_id)
    except ArchiveNotFoundError:
        return ProxmoxTask(host_id, "")
    return ProxmoxTask(host_id, archive.node, str(await client.delete(archive.path) or ""))
