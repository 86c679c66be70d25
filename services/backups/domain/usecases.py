"""One function per RPC, named like it."""

from __future__ import annotations

from dataclasses import dataclass

from services.backups.domain.entities import (
    AppFacts,
    Backup,
    BackupFilter,
    BackupOrder,
    BackupStats,
    BackupStatus,
    BesideOrder,
    BesideStarted,
    OperationStanding,
)
from services.backups.domain.errors import (
    AppNotBackupableError,
    AppNotHeldError,
    ArchiveGoneError,
    BackupInUseError,
    BackupNotCompletedError,
)
from services.backups.domain.interfaces import Apps, BackupKey, BackupStore, Containers, NewBackup
from services.common.core.errors import DomainError, UnavailableError

_NOT_BACKUPABLE = frozenset({"removing", "error"})


@dataclass(frozen=True)
class Asker:
    """Who asks: `user` acts for `user_id`; `owner_id` is None for those who see all."""

    user: object
    user_id: int
    owner_id: int | None
    request_id: str


async def list_backups(
    store: BackupStore, apps: Apps, asker: Asker, *, app_id: str, page: int, per_page: int
) -> tuple[int, list[Backup]]:
    """How many backups an app has, and a page of them, newest first.

    Backups carry their owner and outlive their app, so apps is asked only where there are none.
    """
    total, found = await store.list_backups(
        app_id, owner_id=asker.owner_id, offset=(page - 1) * per_page, limit=per_page
    )
    if not total:
        await apps.get_app(app_id, user_id=asker.owner_id)
    return total, found


async def list_all_backups(
    store: BackupStore, wanted: BackupFilter, *, page: int, per_page: int
) -> tuple[int, list[Backup]]:
    """How many backups there are, of all apps and of deleted ones, and a page of them, newest first."""
    return await store.list_all_backups(wanted, offset=(page - 1) * per_page, limit=per_page)


async def get_backup(store: BackupStore, *, key: BackupKey) -> Backup:
    """One backup, also of an app that is gone."""
    return await store.get_backup(key)


async def get_backup_stats(store: BackupStore, apps: Apps, asker: Asker, *, app_id: str) -> BackupStats:
    """Counts and sizes of an app's backups; they carry their owner, so apps is asked only where there are none."""
    stats = await store.get_stats(app_id, owner_id=asker.owner_id)
    if not stats.total:
        await apps.get_app(app_id, user_id=asker.owner_id)
    return stats


async def create_backup(
    store: BackupStore, apps: Apps, asker: Asker, *, app_id: str, order: BackupOrder
) -> Backup:
    """Write the backup down, hold the app, and let a worker begin.

    Raises:
        AppNotBackupableError: the app is in removing or error.
        BusyError: another operation of the app is under way.
    """
    app = await apps.get_app(app_id, user_id=asker.owner_id)
    check_backupable(app)
    backup = await store.add_backup(NewBackup(asker.request_id, app, order, asker.user_id))
    await lock_and_start(store, apps, asker, app_id=app_id, kind="backup")
    return backup


async def create_held_backup(
    store: BackupStore, apps: Apps, *, app_id: str, operation_id: str, notes: str, requested_by: int
) -> Backup:
    """Write a backup down for an operation of apps that holds the app already, and let a worker begin.

    The backup's own operation has the same id, so apps takes it for the holder's. Asked again, the same backup is
    answered.

    Raises:
        AppNotHeldError: another operation holds the app, or none.
    """
    app = await apps.get_app(app_id, user_id=None)
    if app.operation_id != operation_id:
        raise AppNotHeldError(f"{app_id} is held by {app.operation_id or 'nobody'}, not by {operation_id}")
    order = BackupOrder(notes=notes)
    backup = await store.add_backup(NewBackup(operation_id, app, order, requested_by))
    if await store.is_waiting(operation_id):
        await store.start_operation(operation_id)
    return backup


async def get_held_backup(store: BackupStore, operation_id: str) -> Backup:
    """The backup that an operation of apps had made.

    Raises:
        BackupNotFoundError: there is none (any more).
    """
    return await store.get_operation_backup(operation_id)


def check_backupable(app: AppFacts) -> None:
    """Refuse an app that cannot be backed up.

    Raises:
        AppNotBackupableError: with its status.
    """
    if app.status in _NOT_BACKUPABLE:
        raise AppNotBackupableError(f"{app.name} is in status {app.status!r} and cannot be backed up")


async def lock_and_start(
    store: BackupStore, apps: Apps, asker: Asker, *, app_id: str, kind: str, made_by: str = ""
) -> None:
    """Lock an app for an operation that is written down, and let a worker begin it."""
    if not await store.is_waiting(asker.request_id):
        return  # a repeated request whose work is under way or done
    try:
        await apps.begin_operation(app_id, asker.request_id, kind=kind, made_by=made_by, user=asker.user)
    except UnavailableError:
        raise  # apps may hold the app for it: a worker looks, and goes on or gives the app back
    except DomainError:
        await store.withdraw_operation(asker.request_id)
        raise
    await store.start_operation(asker.request_id)


async def update_backup(
    store: BackupStore,
    containers: Containers,
    *,
    key: BackupKey,
    protected: bool | None,
    notes: str | None,
) -> Backup:
    """Change protection and notes, of the archive first and then of the backup.

    Raises:
        BackupInUseError: it is being made, restored or deleted.
    """
    backup = await store.get_backup(key)
    if backup.is_in_use:
        raise BackupInUseError(f"backup {backup.id} is {backup.status.value}; change it when that is done")
    if backup.volume_id and (protected is not None or notes is not None):
        await containers.update_archive(backup.host_id, backup.volume_id, protected=protected, notes=notes)
    return await store.update_backup(key, protected=protected, notes=notes)


async def restore_beside(
    store: BackupStore, apps: Apps, asker: Asker, *, key: BackupKey, new_hostname: str
) -> BesideStarted:
    """Let apps make a new app of the backup, which counts as being restored until that has ended.

    Raises:
        BackupNotCompletedError: it has no archive.
        BackupInUseError: it is being deleted or restored.
    """
    backup = await store.begin_beside(key, operation_id=asker.request_id, requested_by=asker.user_id)
    order = BesideOrder(
        asker.request_id,
        key.app_id,
        backup.volume_id,
        new_hostname,
        made_by=backup.mark,
        host_id=backup.host_id,
        vmid=backup.vmid,
        owner_id=backup.owner_id,
    )
    try:
        started = await apps.restore_beside(order, user=asker.user)
    except UnavailableError:
        raise  # apps may have begun: a worker looks
    except DomainError:
        await store.withdraw_operation(asker.request_id)
        raise
    await store.start_operation(asker.request_id)
    return started


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


async def delete_backup(store: BackupStore, asker: Asker, *, key: BackupKey) -> Backup:
    """Mark the backup deleting and let a worker delete its archive.

    Raises:
        BackupProtectedError: it is protected.
        BackupInUseError: it is in use.
    """
    return await store.begin_delete(key, operation_id=asker.request_id, requested_by=asker.user_id)


async def cancel_holding_operation(store: BackupStore, operation_id: str) -> OperationStanding:
    """Ask an operation that holds an app to stop, and say how it stands."""
    await store.request_cancel(operation_id)
    return await store.get_standing(operation_id)


async def get_holding_operation(store: BackupStore, operation_id: str) -> OperationStanding:
    """How an operation stands that holds an app."""
    return await store.get_standing(operation_id)
