"""CreateBackup, and the same for an operation of apps that has locked the app already."""

from __future__ import annotations

from services.backups.domain.entities import Backup, BackupOrder
from services.backups.domain.errors import AppNotHeldError
from services.backups.domain.interfaces import BackupStore, NewBackup
from services.backups.domain.preconditions import check_backupable
from services.backups.usecases.beginnings import lock_and_start
from services.backups.usecases.context import BackupDependencies, BackupRequester


async def create_backup(
    dependencies: BackupDependencies, requester: BackupRequester, *, app_id: str, order: BackupOrder
) -> Backup:
    """Record the backup, lock the app, and let a worker begin.

    Raises:
        NotFoundError: there is no such app of the requester.
        AppNotBackupableError: the app is in removing or error.
        BusyError: another operation of the app is under way, or the same request is being worked on.
    """
    app = await dependencies.apps.get_app_hold(app_id, user_id=requester.owner_id)
    check_backupable(app)
    # Recorded before the app is locked: nobody would release a lock that no operation knows of.
    backup = await dependencies.store.add_backup(
        NewBackup(requester.request_id, app, order, requester.user.id)
    )
    await lock_and_start(
        dependencies, requester.request_id, app_id=app_id, kind="backup", user=requester.user
    )
    return backup


async def create_held_backup(
    dependencies: BackupDependencies, *, app_id: str, operation_id: str, notes: str, requested_by: int
) -> Backup:
    """Record a backup for an operation of apps that has locked the app, and let a worker begin.

    The backup's own operation has the same id, so apps accepts it in place of the one that has locked the app. A
    repeated call returns the same backup.

    Raises:
        AppNotHeldError: another operation has locked the app, or none.
    """
    app = await dependencies.apps.get_app_hold(app_id, user_id=None)
    if app.operation_id != operation_id:
        raise AppNotHeldError(
            f"{app_id} is locked by {app.operation_id or 'no operation'}, not by {operation_id}"
        )
    order = BackupOrder(notes=notes)
    backup = await dependencies.store.add_backup(
        NewBackup(operation_id, app, order, requested_by, is_held=True)
    )
    # Apps repeats the call until it has an answer: the operation may have begun since the first one.
    if await dependencies.store.is_waiting(operation_id):
        await dependencies.store.start_operation(operation_id)
    return backup


async def get_held_backup(store: BackupStore, operation_id: str) -> Backup:
    """Return the backup that an operation of apps requested.

    Raises:
        BackupNotFoundError: there is none, or none any more.
    """
    return await store.get_operation_backup(operation_id)
