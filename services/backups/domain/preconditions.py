"""Preconditions of backups and restores."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.errors import (
    AppNotBackupableError,
    AppRemovedError,
    ArchiveGoneError,
    BackupElsewhereError,
    BackupInUseError,
    BackupNotCompletedError,
    BackupProtectedError,
    RestoreDestroysVolumesError,
)
from services.clients.apps.errors import AppBusyError
from services.clients.apps.values import AppHold
from services.clients.inventory.archive_values import ContainerVolume, RunningBackup

# In error nobody knows what the container has; in removing it is about to go.
_NOT_BACKUPABLE = frozenset({"removing", "error"})


def check_backupable(app: AppHold) -> None:
    """Refuse an app that cannot be backed up.

    Raises:
        AppNotBackupableError: with its status.
    """
    if app.status in _NOT_BACKUPABLE:
        raise AppNotBackupableError(f"{app.name} is in status {app.status!r} and cannot be backed up")


def check_unused(backup: Backup) -> None:
    """Refuse to change a backup that an operation works on.

    Raises:
        BackupInUseError: with its status.
    """
    if backup.is_in_use:
        raise BackupInUseError(f"backup {backup.id} is {backup.status.value}; change it when that is done")


def check_restorable(backup: Backup) -> None:
    """Refuse a backup that cannot be restored now.

    Raises:
        ArchiveGoneError: its archive is gone.
        BackupNotCompletedError: it was never completed.
        BackupInUseError: it is being restored or deleted.
    """
    if backup.status in {BackupStatus.RESTORING, BackupStatus.DELETING}:
        raise BackupInUseError(f"backup {backup.id} is {backup.status.value}")
    if backup.status is BackupStatus.MISSING:
        raise ArchiveGoneError(f"backup {backup.id} cannot be restored: {backup.error}")
    if backup.status is not BackupStatus.COMPLETED:
        raise BackupNotCompletedError(
            f"backup {backup.id} is {backup.status.value}; only a completed one can be restored"
        )


def check_successor(newest: Backup) -> None:
    """Refuse to remove older backups beside one that could not be restored in their place.

    Raises:
        BackupNotCompletedError: it is not completed, or its archive is broken.
        ArchiveGoneError, BackupInUseError: as `check_restorable`.
    """
    check_restorable(newest)
    if newest.is_broken:
        raise BackupNotCompletedError(f"the archive of backup {newest.id} is broken")


def check_testable(backup: Backup) -> None:
    """Refuse to test a backup without an archive, or one that is being tested or deleted.

    Raises:
        ArchiveGoneError: its archive is gone.
        BackupNotCompletedError: it was never completed.
        BackupInUseError: it is being tested or deleted.
    """
    if backup.restore_test.is_running:
        raise BackupInUseError(f"backup {backup.id} is being tested")
    _check_readable(backup)


def check_verifiable(backup: Backup) -> None:
    """Refuse to check a backup without an archive, or one that is being checked or deleted.

    Raises:
        ArchiveGoneError: its archive is gone.
        BackupNotCompletedError: it was never completed.
        BackupInUseError: it is being checked or deleted.
    """
    if backup.archive_check.is_running:
        raise BackupInUseError(f"the archive of backup {backup.id} is being checked")
    _check_readable(backup)


def _check_readable(backup: Backup) -> None:
    if backup.status is not BackupStatus.RESTORING:  # several may read an archive at once
        check_restorable(backup)


def check_deletable(backup: Backup) -> None:
    """Refuse to delete a backup that is in use, being tested or protected.

    Raises:
        BackupInUseError: an operation works on it.
        BackupProtectedError: it is protected.
    """
    if backup.is_in_use:
        raise BackupInUseError(f"backup {backup.id} is {backup.status.value}")
    if backup.restore_test.is_running:
        raise BackupInUseError(f"backup {backup.id} is being tested; delete it when that has ended")
    if backup.protected:
        raise BackupProtectedError(f"backup {backup.id} is protected; take the protection off first")


def check_on_host(backup: Backup, app: AppHold) -> None:
    """Refuse to restore across Proxmox hosts, whose storages do not see each other.

    Raises:
        BackupElsewhereError: naming both hosts.
    """
    if backup.host_id != app.host_id:
        raise BackupElsewhereError(
            f"backup {backup.id} is on Proxmox host {backup.host_id}, the app on host {app.host_id}"
        )


def check_volumes(
    volumes: Sequence[ContainerVolume], *, backup_id: int, lose_volumes: Collection[str]
) -> None:
    """Refuse to destroy volumes that are not in the archive.

    Raises:
        RestoreDestroysVolumesError: naming those that the request does not.
    """
    lost = [volume for volume in volumes if volume.key not in lose_volumes]
    if lost:
        raise RestoreDestroysVolumesError(
            f"restoring backup {backup_id} would destroy volumes that are not in its archive: "
            f"{', '.join(volume.description for volume in lost)}. Save their data and name them in lose_volumes, "
            "or restore as a new app by naming a new_hostname"
        )


def refuse_busy(subject: str) -> AppBusyError:
    """Return the refusal to begin while another backup or restore of an app or backup is under way."""
    return AppBusyError(f"another backup or restore of {subject} is under way", retry_after=5)


def refuse_removed(backup: Backup) -> AppRemovedError:
    """Return the refusal to restore a backup over an app that was deleted."""
    return AppRemovedError(
        f"the app {backup.app_id} was deleted, so there is nothing to restore backup {backup.id} over; "
        "restore it as a new app by naming a new_hostname"
    )


def refuse_missing(backup: Backup) -> ArchiveGoneError:
    """Return the refusal of a backup whose archive its storage does not list."""
    return ArchiveGoneError(f"backup {backup.id} cannot be restored: {describe_missing(backup.volume_id)}")


def find_storage(volume_id: str) -> str:
    """Return the storage that an archive's volume id begins with."""
    return volume_id.partition(":")[0]


def describe_missing(volume_id: str) -> str:
    """Explain why a backup without its archive cannot be restored."""
    return f"the archive {volume_id} is gone from its storage: Proxmox pruned it, or somebody deleted it"


def describe_running_backup(running: RunningBackup) -> str:
    """Describe a backup that runs on a node, for a person whose backup waits for it."""
    guest = f"guest {running.vmid}" if running.vmid else "several guests"
    return f"another backup on node {running.node}: {running.user or 'somebody'} backs up {guest}"
