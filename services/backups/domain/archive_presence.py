"""Noticing archives that Proxmox pruned, or somebody deleted, without the platform."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from services.backups.domain.entities import Backup, BackupStatus, Place
from services.backups.domain.interfaces import BackupStore, Containers
from services.common.core.errors import DomainError

_BATCH = 500  # backups read at a time


def describe_gone(volume_id: str) -> str:
    """Why a backup without its archive cannot be restored."""
    return f"the archive {volume_id} is gone from its storage: Proxmox pruned it, or somebody deleted it"


async def note_missing_archives(store: BackupStore, containers: Containers) -> int:
    """Compare every backup with what its host's storages list, and return how many turned out to be missing.

    A storage that does not answer says nothing about its archives; a backup whose archive is there again is completed
    again.
    """
    last, count = 0, 0
    while found := await store.list_archived(after=last, limit=_BATCH):
        last = found[-1].id
        by_place: dict[tuple[int, int], list[Backup]] = defaultdict(list)
        for backup in found:
            by_place[backup.host_id, backup.vmid].append(backup)
        for (host_id, vmid), backups in by_place.items():
            try:
                count += await _compare(store, containers, Place(host_id, vmid, ""), backups=backups)
            except DomainError:
                continue  # this host does not answer now; the others are compared
    return count


async def _compare(
    store: BackupStore, containers: Containers, place: Place, *, backups: Sequence[Backup]
) -> int:
    archives, complete = await containers.list_archives(place)
    there = {archive.volume_id for archive in archives}
    back = [one.id for one in backups if one.status is BackupStatus.MISSING and one.volume_id in there]
    if back:
        await store.note_presence(back, present=True)
    gone = [one for one in backups if one.status is BackupStatus.COMPLETED and one.volume_id not in there]
    if not complete:
        return 0
    for backup in gone:
        await store.note_presence([backup.id], present=False, error=describe_gone(backup.volume_id))
    return len(gone)
