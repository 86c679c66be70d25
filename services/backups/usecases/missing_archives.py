"""Archives that Proxmox pruned, or somebody deleted, without the platform; and what a Backup Server says of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.interfaces import BackupStore
from services.backups.domain.preconditions import describe_missing, find_storage
from services.clients.inventory.archive_interface import Archives
from services.clients.inventory.archive_values import ArchiveListing
from services.clients.inventory.values import Ref
from services.common.core.errors import DomainError
from services.common.core.log import get_logger

log = get_logger()

_BATCH = 500  # backups read at a time: about 1 MB


async def note_missing_archives(store: BackupStore, archives: Archives) -> int:
    """Compare every backup with the archives that its host's storages list, and return how many are newly missing.

    A storage that does not answer proves nothing about its archives; a backup whose archive reappears is completed
    again.
    """
    last, count = 0, 0
    while found := await store.list_archived(after=last, limit=_BATCH):
        last = found[-1].id
        by_container: dict[Ref, list[Backup]] = defaultdict(list)
        for backup in found:
            by_container[Ref(backup.host_id, backup.vmid)].append(backup)
        for ref, backups in by_container.items():
            try:
                count += await _compare(store, archives, ref=ref, backups=backups)
            except DomainError:
                continue  # this host does not answer now; the others are compared
    return count


async def _compare(store: BackupStore, archives: Archives, *, ref: Ref, backups: Sequence[Backup]) -> int:
    listing = await archives.list_archives(ref)
    there = {archive.volume_id for archive in listing.archives}
    back = [one.id for one in backups if one.status is BackupStatus.MISSING and one.volume_id in there]
    if back:
        await store.note_presence(back, present=True)
    await _note_verifications(store, listing, backups=backups)
    if not listing.complete:
        return 0
    unlisted = [one for one in backups if one.status is BackupStatus.COMPLETED and one.volume_id not in there]
    gone = []
    # A disabled storage is in no list, and proves nothing either: each storage is listed by its name.
    for storage, several in groupby(sorted(unlisted, key=_find_place), key=_find_place):
        again = await archives.list_archives(ref, storage=storage)
        there = {archive.volume_id for archive in again.archives}
        gone += [one for one in several if again.complete and one.volume_id not in there]
    for backup in gone:
        await store.note_presence([backup.id], present=False, error=describe_missing(backup.volume_id))
    return len(gone)


def _find_place(backup: Backup) -> str:
    return find_storage(backup.volume_id)


async def _note_verifications(
    store: BackupStore, listing: ArchiveListing, *, backups: Sequence[Backup]
) -> None:
    """Record what the storage says of the archives of backups, where that has changed."""
    by_volume = {archive.volume_id: archive for archive in listing.archives}
    for backup in backups:
        archive = by_volume.get(backup.volume_id)
        if archive is None:
            continue
        now = (archive.verification, archive.encrypted)
        if now != (backup.verification, backup.encrypted):
            await store.note_verification(backup.id, archive.verification, encrypted=archive.encrypted)
            if archive.verification == "failed":
                log.warning("archive_verification_failed", backup_id=backup.id, archive=backup.volume_id)
