"""Tables and all SQL of the backups service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message as ProtoMessage
from proximity.backups.v1 import events_pb2
from proximity.common.v1 import operation_pb2

from services.backups.domain.changes import (
    CompleteBackup,
    EndRestore,
    FailBackup,
    KeepBackup,
    NoteProgress,
    RemoveBackup,
)
from services.backups.domain.entities import (
    IN_USE,
    AppFacts,
    Backup,
    BackupOrder,
    BackupStats,
    BackupStatus,
    OperationStanding,
)
from services.backups.domain.errors import (
    AppBusyError,
    BackupInUseError,
    BackupNotFoundError,
    BackupProtectedError,
)
from services.backups.domain.interfaces import BackupKey, NewBackup
from services.backups.domain.usecases import check_restorable
from services.backups.workflows import create_backup, delete_backup, restore_backup
from services.backups.workflows.create_backup import CreateBackupState
from services.backups.workflows.delete_backup import DeleteBackupState
from services.backups.workflows.restore_backup import RestoreBackupState
from services.common import idempotency as idempotency_tables
from services.common import outbox as outbox_tables
from services.common.clock import Clock, now
from services.common.db import Database, UtcDateTime
from services.common.log import get_logger
from services.common.messaging import Message
from services.common.operations import store as operations_store
from services.common.operations.model import Change, ClaimedOperation, NewOperation, Workflow, dump_state
from services.common.outbox import add_messages, new_message, note_received
from services.common.reading import Query

log = get_logger()

RUN_OPERATION = "jobs.backups.v1.run_operation"
BACKUP_COMPLETED = "events.backups.v1.backup_completed"
BACKUP_FAILED = "events.backups.v1.backup_failed"
APP_RESTORED = "events.backups.v1.app_restored"
_WITHOUT_BEGINNER = timedelta(seconds=15)

metadata = sa.MetaData()
outbox, inbox = outbox_tables.define_tables(metadata)
idempotency = idempotency_tables.define_table(metadata)
tables = operations_store.define_tables(metadata)
operations = tables.operations
backups = sa.Table(
    "backups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("app_id", sa.String(120), nullable=False),
    sa.Column("owner_id", sa.Integer, nullable=False),
    sa.Column("host_id", sa.Integer, nullable=False),
    sa.Column("vmid", sa.Integer, nullable=False),
    sa.Column("backup_type", sa.String(20), nullable=False),
    sa.Column("compression", sa.String(20), nullable=False),
    sa.Column("wanted_storage", sa.String(100), nullable=False),
    sa.Column("mark", sa.String(64), nullable=False, unique=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("volume_id", sa.String(400), nullable=False),
    sa.Column("file_name", sa.String(300), nullable=False),
    sa.Column("storage", sa.String(100), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("progress", sa.Integer),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("completed_at", UtcDateTime),
    sa.Column("app_removed_at", UtcDateTime),
    sa.Index("backups_of_app", "app_id", "id"),
)


@dataclass(frozen=True)
class _Request:
    """An operation that is asked for."""

    operation_id: str
    kind: str
    subject: str
    requested_by: int


def _do_nothing() -> None:
    """For stores whose messages another process publishes."""


class SqlBackupStore:
    """Backups in SQLite or PostgreSQL; implements `BackupStore`.

    Args:
        db: the service's database.
        workflows: by kind; their steps are written down with each operation.
        on_message: called after a commit that left messages in the outbox.
    """

    def __init__(
        self,
        db: Database,
        workflows: Mapping[str, Workflow],
        *,
        on_message: Callable[[], None] = _do_nothing,
        clock: Clock = now,
    ) -> None:
        self._db = db
        self._workflows = workflows
        self._on_message = on_message
        self._clock = clock

    async def list_backups(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int
    ) -> tuple[int, list[Backup]]:
        """See `BackupStore.list_backups`."""
        where = _of_app(app_id, owner_id)
        query = sa.select(backups).where(*where).order_by(backups.c.id.desc()).offset(offset).limit(limit)
        count = sa.select(sa.func.count()).select_from(backups).where(*where)

        def read(connection: sa.Connection) -> tuple[int, list[Backup]]:
            total = int(connection.execute(count).scalar_one())
            return total, [backup_of_row(row) for row in connection.execute(query)]

        return await self._db.read(read)

    async def find_page(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int
    ) -> tuple[int, list[Any]]:
        """See `BackupStore.find_page`."""
        params: dict[str, Any] = {"app": app_id, "offset": offset, "limit": limit}
        params |= {} if owner_id is None else {"owner": owner_id}
        rows = await self._db.fetch(_page_query(owner_id is not None), params)
        return (rows[0][0] if rows else 0), [tuple(row) for row in rows]

    async def get_backup(self, key: BackupKey) -> Backup:
        """See `BackupStore.get_backup`."""
        return await self._db.read(lambda connection: _get_backup(connection, key))

    async def get_stats(self, app_id: str, *, owner_id: int | None) -> BackupStats:
        """See `BackupStore.get_stats`."""
        query = (
            sa.select(backups.c.status, sa.func.count(), sa.func.coalesce(sa.func.sum(backups.c.size), 0))
            .where(*_of_app(app_id, owner_id))
            .group_by(backups.c.status)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        counts = {status: int(count) for status, count, _ in rows}
        sizes = {status: int(size) for status, _, size in rows}
        return BackupStats(
            total=sum(counts.values()),
            completed=counts.get(BackupStatus.COMPLETED, 0),
            failed=counts.get(BackupStatus.FAILED, 0),
            in_progress=sum(counts.get(status, 0) for status in IN_USE),
            total_size=sizes.get(BackupStatus.COMPLETED, 0),
        )

    async def update_backup(self, key: BackupKey, *, protected: bool | None, notes: str | None) -> Backup:
        """See `BackupStore.update_backup`."""
        values: dict[str, Any] = {"updated_at": self._clock()}
        if protected is not None:
            values["protected"] = protected
        if notes is not None:
            values["notes"] = notes

        def write(connection: sa.Connection) -> Backup:
            connection.execute(backups.update().where(*_of_key(key)).values(**values))
            return _get_backup(connection, key)

        return await self._db.write(write)

    async def add_backup(self, new: NewBackup) -> Backup:
        """See `BackupStore.add_backup`."""
        request = _Request(new.operation_id, create_backup.KIND, new.app.app_id, new.requested_by)

        def write(connection: sa.Connection) -> Backup:
            known = connection.execute(
                sa.select(backups).where(backups.c.mark == new.operation_id)
            ).one_or_none()
            if known is not None:
                return backup_of_row(known)
            row = connection.execute(
                backups.insert().values(**_new_row(new, self._clock())).returning(backups)
            ).one()
            backup = backup_of_row(row)
            self._add_operation(connection, request, _create_state(backup, new), waits=True)
            return backup

        return await self._write_operation(write, request)

    async def begin_restore(
        self, key: BackupKey, *, operation_id: str, app: AppFacts, requested_by: int
    ) -> Backup:
        """See `BackupStore.begin_restore`."""
        request = _Request(operation_id, restore_backup.KIND, key.app_id, requested_by)

        def write(connection: sa.Connection) -> Backup:
            backup = _get_backup(connection, key, lock=True)
            if _find_operation(connection, operation_id) is not None:
                return backup
            check_restorable(backup)
            state = RestoreBackupState(
                operation_id=operation_id,
                backup_id=backup.id,
                app_id=backup.app_id,
                archive=backup.volume_id,
                host_id=backup.host_id,
                vmid=app.vmid,
                node=app.node,
            )
            self._add_operation(connection, request, state, waits=True)
            self._set(connection, backup.id, status=BackupStatus.RESTORING.value, error="")
            return _get_backup(connection, key)

        return await self._write_operation(write, request)

    async def begin_delete(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """See `BackupStore.begin_delete`."""
        request = _Request(operation_id, delete_backup.KIND, f"backup/{key.backup_id}", requested_by)

        def write(connection: sa.Connection) -> Backup:
            backup = _get_backup(connection, key, lock=True)
            if backup.is_in_use:
                raise BackupInUseError(f"backup {backup.id} is {backup.status.value}")
            if backup.protected:
                raise BackupProtectedError(f"backup {backup.id} is protected; take the protection off first")
            state = DeleteBackupState(
                operation_id=operation_id,
                backup_id=backup.id,
                host_id=backup.host_id,
                vmid=backup.vmid,
                mark=backup.mark,
                volume_id=backup.volume_id,
            )
            self._add_operation(connection, request, state, waits=False)
            self._set(connection, backup.id, status=BackupStatus.DELETING.value, error="")
            add_messages(connection, outbox, [_wake_message(operation_id)])
            return _get_backup(connection, key)

        backup = await self._write_operation(write, request)
        self._on_message()
        return backup

    async def get_operation_backup(self, operation_id: str) -> Backup:
        """See `BackupStore.get_operation_backup`."""
        query = sa.select(backups).where(backups.c.mark == operation_id)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise BackupNotFoundError(f"the operation {operation_id} has no backup")
        return backup_of_row(row)

    async def is_waiting(self, operation_id: str) -> bool:
        """See `BackupStore.is_waiting`."""
        row = await self._db.read(lambda connection: _find_operation(connection, operation_id))
        return row is not None and row.fence == 0

    async def start_operation(self, operation_id: str) -> None:
        """See `BackupStore.start_operation`."""

        def write(connection: sa.Connection) -> None:
            connection.execute(
                operations.update()
                .where(operations.c.id == operation_id, operations.c.fence == 0)
                .values(not_before=self._clock())
            )
            add_messages(connection, outbox, [_wake_message(operation_id)])

        await self._db.write(write)
        self._on_message()

    async def withdraw_operation(self, operation_id: str) -> None:
        """See `BackupStore.withdraw_operation`."""

        def write(connection: sa.Connection) -> None:
            row = connection.execute(
                operations.delete()
                .where(operations.c.id == operation_id, operations.c.fence == 0)
                .returning(operations.c.kind, operations.c.state)
            ).one_or_none()
            if row is None:
                return
            connection.execute(tables.steps.delete().where(tables.steps.c.operation_id == operation_id))
            if row.kind == create_backup.KIND:
                connection.execute(backups.delete().where(backups.c.mark == operation_id))
            else:
                self._set(connection, row.state["backup_id"], status=BackupStatus.COMPLETED.value)

        await self._db.write(write)

    async def revive_operations(self) -> int:
        """See `BackupStore.revive_operations`."""
        query = (
            operations.update()
            .where(operations.c.status == "dead", operations.c.undo_attempts > 0)
            .values(status="undoing", undo_attempts=0, not_before=self._clock(), updated_at=self._clock())
        )
        return await self._db.write(lambda connection: connection.execute(query).rowcount)

    async def get_standing(self, operation_id: str) -> OperationStanding:
        """See `BackupStore.get_standing`."""
        row = await self._db.read(lambda connection: _find_operation(connection, operation_id))
        if row is None:
            return OperationStanding("unknown")
        if row.finished_at is None:
            return OperationStanding("unfinished", row.updated_at)
        return OperationStanding("succeeded" if row.status == "succeeded" else "failed", row.updated_at)

    async def note_app_removed(self, app_id: str, *, message_id: str) -> None:
        """See `BackupStore.note_app_removed`."""

        def write(connection: sa.Connection) -> None:
            if note_received(connection, inbox, message_id):
                connection.execute(
                    backups.update().where(backups.c.app_id == app_id).values(app_removed_at=self._clock())
                )

        await self._db.write(write)

    async def _write_operation(self, write: Callable[[sa.Connection], Backup], request: _Request) -> Backup:
        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError as error:
            raise AppBusyError(
                f"another backup or restore of {request.subject} is under way", retry_after=5
            ) from error

    def _add_operation(
        self, connection: sa.Connection, request: _Request, state: object, *, waits: bool
    ) -> None:
        workflow = self._workflows[request.kind]
        new = NewOperation(
            id=request.operation_id,
            subject=request.subject,
            kind=request.kind,
            state=dump_state(state),
            steps=tuple((step.name, step.description) for step in workflow.steps),
            requested_by=request.requested_by,
            not_before=self._clock() + _WITHOUT_BEGINNER if waits else None,
        )
        operations_store.add_operation(connection, tables, new)

    def _set(self, connection: sa.Connection, backup_id: int, **values: object) -> None:
        connection.execute(
            backups.update().where(backups.c.id == backup_id).values(updated_at=self._clock(), **values)
        )


def apply_change(connection: sa.Connection, _: ClaimedOperation, change: Change) -> None:
    """Write one change of a workflow, with its event, in the checkpoint's transaction."""
    current = now()
    match change:
        case NoteProgress():
            values: dict[str, Any] = {"progress": change.progress}
        case CompleteBackup():
            values = {
                "status": BackupStatus.COMPLETED.value,
                "volume_id": change.volume_id,
                "file_name": change.file_name,
                "storage": change.storage,
                "size": change.size,
                "progress": 100,
                "completed_at": current,
            }
            completed = events_pb2.BackupCompleted(
                backup_id=change.backup_id, app_id=change.app_id, archive=change.volume_id, size=change.size
            )
            _announce(connection, BACKUP_COMPLETED, completed)
        case FailBackup():
            values = {"status": BackupStatus.FAILED.value, "error": change.error}
            failed = events_pb2.BackupFailed(
                backup_id=change.backup_id, app_id=change.app_id, reason=change.error
            )
            _announce(connection, BACKUP_FAILED, failed)
        case EndRestore():
            values = {"status": BackupStatus.COMPLETED.value, "error": change.error}
            if not change.error:
                restored = events_pb2.AppRestored(backup_id=change.backup_id, app_id=change.app_id)
                _announce(connection, APP_RESTORED, restored)
        case RemoveBackup():
            connection.execute(backups.delete().where(backups.c.id == change.backup_id))
            return
        case KeepBackup():
            had_archive = sa.case((backups.c.volume_id != "", BackupStatus.COMPLETED.value), else_="failed")
            values = {"status": had_archive, "error": change.error}
        case _:
            raise TypeError(f"{type(change).__name__} is no change of a backup")
    connection.execute(
        backups.update().where(backups.c.id == change.backup_id).values(updated_at=current, **values)
    )


def write_line(_: sa.Connection, operation: ClaimedOperation, level: str, message: str, step: str) -> None:
    """Write a line of an operation into the service's log; the app's users read the reports to apps."""
    log.info("operation_line", operation_id=operation.id, level_shown=level, step=step, message=message)


def build_operation_store(db: Database) -> operations_store.SqlOperationStore:
    """What the engine needs of this service's database."""
    return operations_store.SqlOperationStore(db, tables, apply_change, write_line)


def _announce(connection: sa.Connection, subject: str, event: ProtoMessage) -> None:
    add_messages(connection, outbox, [new_message(subject, event)])


def _wake_message(operation_id: str) -> Message:
    payload = operation_pb2.RunOperation(operation_id=operation_id)
    return new_message(RUN_OPERATION, payload, message_id=f"run-{operation_id}")


@cache
def _page_query(is_owned: bool) -> Query:
    where = [backups.c.app_id == sa.bindparam("app"), backups.c.app_removed_at.is_(None)]
    where += [backups.c.owner_id == sa.bindparam("owner")] if is_owned else []
    total = sa.select(sa.func.count()).select_from(backups).where(*where).scalar_subquery()
    columns = (backups.c.id, backups.c.updated_at, backups.c.status, backups.c.progress)
    query = sa.select(total, *columns).where(*where).order_by(backups.c.id.desc())
    return Query(query.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")))


def _of_app(app_id: str, owner_id: int | None) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [backups.c.app_id == app_id]
    return where if owner_id is None else [*where, backups.c.owner_id == owner_id]


def _of_key(key: BackupKey) -> list[sa.ColumnElement[bool]]:
    return [backups.c.id == key.backup_id, *_of_app(key.app_id, key.owner_id)]


def _get_backup(connection: sa.Connection, key: BackupKey, *, lock: bool = False) -> Backup:
    query = sa.select(backups).where(*_of_key(key))
    if lock:
        query = query.with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise BackupNotFoundError(f"{key.app_id} has no backup {key.backup_id}")
    return backup_of_row(row)


def _find_operation(connection: sa.Connection, operation_id: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(operations).where(operations.c.id == operation_id)).one_or_none()


def _new_row(new: NewBackup, current: datetime) -> dict[str, Any]:
    return {
        "app_id": new.app.app_id,
        "owner_id": new.app.owner_id,
        "host_id": new.app.host_id,
        "vmid": new.app.vmid,
        "backup_type": new.order.backup_type,
        "compression": new.order.compression,
        "wanted_storage": new.order.storage,
        "mark": new.operation_id,
        "status": BackupStatus.CREATING.value,
        "volume_id": "",
        "file_name": "",
        "storage": "",
        "size": 0,
        "error": "",
        "protected": False,
        "notes": new.order.notes,
        "progress": 0,
        "created_at": current,
        "updated_at": current,
    }


def _create_state(backup: Backup, new: NewBackup) -> CreateBackupState:
    return CreateBackupState(
        operation_id=new.operation_id,
        backup_id=backup.id,
        app_id=backup.app_id,
        mark=backup.mark,
        backup_type=new.order.backup_type,
        compression=new.order.compression,
        storage=new.order.storage,
        notes=new.order.notes,
        host_id=new.app.host_id,
        vmid=new.app.vmid,
        node=new.app.node,
    )


def backup_of_row(row: sa.Row[Any]) -> Backup:
    """A Backup of a row of `backups`."""
    order = BackupOrder(
        backup_type=row.backup_type,
        compression=row.compression,
        storage=row.wanted_storage,
        notes=row.notes,
    )
    return Backup(
        id=row.id,
        app_id=row.app_id,
        owner_id=row.owner_id,
        host_id=row.host_id,
        vmid=row.vmid,
        order=order,
        mark=row.mark,
        status=BackupStatus(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
        volume_id=row.volume_id,
        file_name=row.file_name,
        storage=row.storage,
        size=row.size,
        error=row.error,
        protected=row.protected,
        notes=row.notes,
        progress=row.progress,
        completed_at=row.completed_at,
        app_removed_at=row.app_removed_at,
    )
