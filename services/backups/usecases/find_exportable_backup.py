"""FindExportableBackup: the backup whose archive an export of an app names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.errors import ArchiveGoneError
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.preconditions import check_restorable, describe_missing, find_storage
from services.backups.usecases.context import BackupDependencies
from services.clients.inventory.values import Ref
from services.common.core.errors import UnavailableError

# An archive that is being restored is read, and can be read by others.
_USABLE = frozenset({BackupStatus.COMPLETED, BackupStatus.RESTORING})
_CONSIDERED = (
    100  # newest backups of an app; one of them is there unless somebody deleted all archives in Proxmox
)


@dataclass(frozen=True)
class Exportable:
    """A backup for an export (None: there is none), the names of the app's policies.

    Attributes:
        seen: the archive was on its storage just now; its size and protection are those of there.
    """

    backup: Backup | None
    policies: tuple[str, ...]
    seen: bool = False


async def find_exportable_backup(
    dependencies: BackupDependencies, app_id: str, *, backup_id: int | None = None
) -> Exportable:
    """Return one backup of an app or, without a number, the newest whose archive can be restored.

    While a storage does not answer, an archive on it is not missing.

    Raises:
        BackupNotFoundError: the app has no such backup.
        BackupNotCompletedError: it was never completed.
        ArchiveGoneError: its archive is gone.
        BackupInUseError: it is being deleted.
    """
    policies = await _list_policies(dependencies, app_id)
    if backup_id is None:
        _, found = await dependencies.store.list_backups(app_id, owner_id=None, offset=0, limit=_CONSIDERED)
        candidates: Sequence[Backup] = [
            one for one in found if one.status in _USABLE and one.volume_id and not one.is_broken
        ]
    else:
        one = await dependencies.store.get_backup(BackupKey(app_id, backup_id, None))
        if one.status is not BackupStatus.RESTORING:
            check_restorable(one)
        candidates = [one]
    for backup in candidates:
        seen, looked = await _look(dependencies, backup)
        if seen is not None:
            return Exportable(seen, policies, seen=True)
        if not looked:
            return Exportable(backup, policies)
        if backup_id is not None:
            raise ArchiveGoneError(
                f"backup {backup.id} cannot be exported: {describe_missing(backup.volume_id)}"
            )
    return Exportable(None, policies)


async def _look(dependencies: BackupDependencies, backup: Backup) -> tuple[Backup | None, bool]:
    """Return a backup with the facts of its archive as it is now, and whether every storage answered."""
    try:
        listing = await dependencies.containers.list_archives(
            Ref(backup.host_id, backup.vmid), storage=find_storage(backup.volume_id)
        )
    except UnavailableError:
        return None, False
    for archive in listing.archives:
        if archive.volume_id == backup.volume_id:
            seen = dataclasses.replace(
                backup, size=archive.size, protected=archive.protected, encrypted=archive.encrypted
            )
            return seen, True
    return None, listing.complete


async def _list_policies(dependencies: BackupDependencies, app_id: str) -> tuple[str, ...]:
    app = await dependencies.apps.get_app_hold(app_id, user_id=None)
    policies = await dependencies.policies.list_policies()
    return tuple(sorted(one.settings.name for one in policies if one.covers(app)))
