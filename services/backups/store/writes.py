"""The store of backups: reads, and writes in transactions of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.interfaces import BackupKey, NewBackup
from services.backups.domain.preconditions import (
    check_deletable,
    check_restorable,
    check_successor,
    refuse_busy,
)
from services.backups.store.announcements import announce_changes
from services.backups.store.beginnings import WITHOUT_BEGINNER, BackupBeginnings
from services.backups.store.changes import do_nothing, operation_queue
from services.backups.store.rows import (
    backup_of_row,
    begin_state,
    find_duration,
    find_operation,
    read_backup,
    render_new,
    where_key,
)
from services.backups.store.tables import backups, tables
from services.backups.workflows import create_backup, delete_backup, restore_backup, restore_beside
from services.backups.workflows.delete_backup import DeleteBackupState
from services.backups.workflows.restore_backup_state import RestoreBackupState
from services.backups.workflows.restore_beside import RestoreBesideState
from services.clients.apps.values import AppHold
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.operations.model import NewOperation, Workflow, dump_state
from services.common.operations.tables import add_operation


@dataclass(frozen=True)
class _Request:
    """A requested operation; limits count it for its `node` and `storage`."""

    operation_id: str
    kind: str
    subject: str
    requested_by: int
    node: str = ""
    storage: str = ""


class SqlBackupStore(BackupBeginnings):
    """Backups in SQLite or PostgreSQL; implements `BackupStore`.

    Args:
        db: the service's database.
        workflows: by kind; their steps are written down with each operation.
        on_message: called after a commit that left messages in the outbox.
    """

    def __init__(
        self,
        db: Database,
        workflows: Mapping[str, Workflow[Any]],
        *,
        on_message: Callable[[], None] = do_nothing,
        clock: Clock = now,
    ) -> None:
        super().__init__(db, on_message, clock=clock)
        self._workflows = workflows

    async def update_backup(self, key: BackupKey, *, protected: bool | None, notes: str | None) -> Backup:
        """See `BackupStore.update_backup`."""
        values: dict[str, Any] = {"updated_at": self._clock()}
        if protected is not None:
            values["protected"] = protected
            if protected:
                values["delete_requested"] = False  # protection cancels the deletion with its app
        if notes is not None:
            values["notes"] = notes

        def write(connection: sa.Connection) -> Backup:
            connection.execute(backups.update().where(*where_key(key)).values(**values))
            # In the same transaction, so that no stream shows what was rolled back.
            announce_changes(connection, *where_key(key))
            return read_backup(connection, key)

        backup = await self._db.write(write)
        self._on_message()
        return backup

    async def add_backup(self, new: NewBackup) -> Backup:
        """See `BackupStore.add_backup`."""
        request = _Request(
            new.operation_id,
            create_backup.KIND,
            new.app.app_id,
            new.requested_by,
            node=f"{new.app.host_id}/{new.app.node}",
            storage=f"{new.app.host_id}/{new.order.storage}",
        )

        def write(connection: sa.Connection) -> Backup:
            # The mark is the operation's id: a repeated request finds its backup and makes no second one.
            known = connection.execute(
                sa.select(backups).where(backups.c.mark == new.operation_id)
            ).one_or_none()
            if known is not None:
                # An operation of apps is begun already: nobody can be refused meanwhile.
                if not new.is_held:
                    self._check_begun(connection, new.operation_id)
                return backup_of_row(known)
            # vzdump tells no percentage for a container: the last backup's time is the estimate.
            expected_s = find_duration(connection, new.app.app_id)
            values = render_new(new, self._clock(), expected_s=expected_s)
            row = connection.execute(backups.insert().values(**values).returning(backups)).one()
            backup = backup_of_row(row)
            self._add_operation(connection, request, state=begin_state(backup, new), waits=True)
            announce_changes(connection, backups.c.id == backup.id)
            return backup

        return await self._write_operation(write, request, is_final=False)

    async def begin_restore(
        self,
        key: BackupKey,
        *,
        operation_id: str,
        app: AppHold,
        requested_by: int,
        lose_volumes: Collection[str] = (),
        safety: bool = False,
    ) -> Backup:
        """See `BackupStore.begin_restore`."""
        node = f"{app.host_id}/{app.node}"
        request = _Request(operation_id, restore_backup.KIND, key.app_id, requested_by, node=node)

        def make_state(backup: Backup) -> RestoreBackupState:
            return RestoreBackupState(
                operation_id=operation_id,
                backup_id=backup.id,
                app_id=backup.app_id,
                archive=backup.volume_id,
                host_id=backup.host_id,
                vmid=app.vmid,
                node=app.node,
                made_by=backup.mark,
                storage=app.storage,
                lose_volumes=tuple(lose_volumes),
                safety=safety,
            )

        return await self._begin_reading(key, request, make_state=make_state)

    async def begin_beside(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """See `BackupStore.begin_beside`."""
        request = _Request(operation_id, restore_beside.KIND, f"backup/{key.backup_id}", requested_by)

        def make_state(backup: Backup) -> RestoreBesideState:
            return RestoreBesideState(operation_id=operation_id, backup_id=backup.id)

        return await self._begin_reading(key, request, make_state=make_state)

    async def begin_delete(
        self, key: BackupKey, *, operation_id: str, requested_by: int, beside: int | None = None
    ) -> Backup:
        """See `BackupStore.begin_delete`."""
        request = _Request(operation_id, delete_backup.KIND, f"backup/{key.backup_id}", requested_by)

        def write(connection: sa.Connection) -> Backup:
            backup = read_backup(connection, key, lock=True)
            check_deletable(backup)
            if beside is not None:
                check_successor(read_backup(connection, replace(key, backup_id=beside), lock=True))
            state = DeleteBackupState(
                operation_id=operation_id,
                backup_id=backup.id,
                host_id=backup.host_id,
                vmid=backup.vmid,
                mark=backup.mark,
                volume_id=backup.volume_id,
            )
            self._add_operation(connection, request, state=state, waits=False)
            self._set(connection, backup.id, status=BackupStatus.DELETING.value, error="")
            operation_queue.wake(connection, operation_id)
            return read_backup(connection, key)

        backup = await self._write_operation(write, request)
        self._on_message()
        return backup

    async def _begin_reading(
        self, key: BackupKey, request: _Request, *, make_state: Callable[[Backup], object]
    ) -> Backup:
        """Mark a backup restoring, with the operation that reads its archive."""

        def write(connection: sa.Connection) -> Backup:
            backup = read_backup(connection, key, lock=True)
            # A repeated request of the client: the first one has begun it.
            if find_operation(connection, request.operation_id) is not None:
                self._check_begun(connection, request.operation_id)
                return backup
            check_restorable(backup)
            self._add_operation(connection, request, state=make_state(backup), waits=True)
            self._set(connection, backup.id, status=BackupStatus.RESTORING.value, error="")
            return read_backup(connection, key)

        return await self._write_operation(write, request, is_final=False)

    async def _write_operation(
        self, write: Callable[[sa.Connection], Backup], request: _Request, *, is_final: bool = True
    ) -> Backup:
        """Record an operation; it is not final where apps may still refuse to lock the app for it."""
        try:
            return await self._db.write(write, is_final=is_final)
        except sa.exc.IntegrityError as error:
            raise refuse_busy(request.subject) from error

    def _add_operation(
        self, connection: sa.Connection, request: _Request, *, state: object, waits: bool
    ) -> None:
        data = dump_state(state)
        new = NewOperation(
            id=request.operation_id,
            subject=request.subject,
            kind=request.kind,
            state=data,
            steps=self._workflows[request.kind].plan(data),
            requested_by=request.requested_by,
            not_before=self._clock() + WITHOUT_BEGINNER if waits else None,
            node=request.node,
            storage=request.storage,
        )
        add_operation(connection, tables, new=new)
