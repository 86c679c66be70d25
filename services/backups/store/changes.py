"""Changes of backups within a transaction: rows and messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message as ProtoMessage
from proximity.backups.v1 import events_pb2

from services.backups.domain.archive_checks import ArchiveCheckStatus
from services.backups.domain.changes import (
    AddBackup,
    CompleteBackup,
    EndCheck,
    EndRestore,
    EndTest,
    FailBackup,
    FreeBackup,
    KeepBackup,
    LoseArchive,
    NoteLeftOut,
    NoteProgress,
    NoteTestLog,
    NoteWaiting,
    RecordApp,
    RemoveBackup,
)
from services.backups.domain.entities import BackupStatus
from services.backups.domain.restore_tests import RestoreTestStatus
from services.backups.store.announcements import announce_broken, announce_changes
from services.backups.store.rows import backup_of_row, render_check, render_test
from services.backups.store.tables import backups, outbox, tables
from services.common.core.clock import now
from services.common.core.log import get_logger
from services.common.db.database import Database
from services.common.messaging.outbox import add_messages, new_message
from services.common.operations import store as operations_store
from services.common.operations.engine import OperationQueue
from services.common.operations.model import Change, ClaimedOperation
from services.common.operations.queries import OperationLimits
from services.common.operations.store import LogLine

log = get_logger()

operation_queue = OperationQueue("backups", tables=tables, outbox=outbox)
BACKUP_COMPLETED = "events.backups.v1.backup_completed"
BACKUP_FAILED = "events.backups.v1.backup_failed"
RESTORE_TEST_FAILED = "events.backups.v1.restore_test_failed"
APP_RESTORED = "events.backups.v1.app_restored"


def do_nothing() -> None:
    """`on_message` of stores whose messages another process publishes."""


def apply_change(connection: sa.Connection, change: Change) -> None:
    """Write one change of a workflow, with its event, in the checkpoint's transaction."""
    current = now()
    match change:
        case NoteProgress() | NoteWaiting() | NoteLeftOut() | RecordApp() | NoteTestLog() | EndTest():
            values: dict[str, Any] = _render_note(connection, change)
        case EndCheck():
            values = _render_check_end(connection, change)
        case LoseArchive():
            values = {"status": BackupStatus.MISSING.value, "error": change.error}
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
            _announce(connection, BACKUP_COMPLETED, event=completed)
        case AddBackup():
            backup_id = _add_backup(connection, change)
            announce_changes(connection, backups.c.id == backup_id)
            return
        case FailBackup():
            values = {"status": BackupStatus.FAILED.value, "error": change.error}
            failed = events_pb2.BackupFailed(
                backup_id=change.backup_id, app_id=change.app_id, reason=change.error
            )
            _announce(connection, BACKUP_FAILED, event=failed)
        case EndRestore():
            values = {"status": BackupStatus.COMPLETED.value, "error": change.error}
            if not change.error:
                restored = events_pb2.AppRestored(backup_id=change.backup_id, app_id=change.app_id)
                _announce(connection, APP_RESTORED, event=restored)
        case FreeBackup():
            values = {"status": BackupStatus.COMPLETED.value}
        case RemoveBackup():
            announce_changes(connection, backups.c.id == change.backup_id, is_removal=True)
            connection.execute(backups.delete().where(backups.c.id == change.backup_id))
            return
        case KeepBackup():
            # A deletion that was given up: with an archive the backup is still good.
            had_archive = sa.case((backups.c.volume_id != "", BackupStatus.COMPLETED.value), else_="failed")
            values = {"status": had_archive, "error": change.error}
        case _:
            raise TypeError(f"{type(change).__name__} is no change of a backup")
    connection.execute(
        backups.update()
        .where(backups.c.id == change.backup_id)
        # Whatever happens to a backup ends its waiting; only `NoteWaiting` sets a reason again.
        .values({"updated_at": current, "waiting_for": "", **values})
    )
    _announce_change(connection, change)


def _add_backup(connection: sa.Connection, change: AddBackup) -> int:
    """Add a completed backup, and announce it."""
    values = {
        name: getattr(change, name)
        for name in (
            *("app_id", "app_name", "owner_id", "host_id", "vmid", "mark", "notes"),
            *("volume_id", "file_name", "storage", "size"),
        )
    }
    current = now()
    # Made within the operation of a restore, so its row appears only when its archive exists.
    new = backups.insert().values(
        **values,
        recorded=change.recorded.to_json() if change.recorded else None,
        backup_type="snapshot",
        compression="zstd",
        wanted_storage="",
        status=BackupStatus.COMPLETED.value,
        error="",
        protected=False,
        progress=100,
        left_out=list(change.left_out),
        created_at=datetime.fromtimestamp(change.began_at, UTC) if change.began_at else current,
        updated_at=current,
        completed_at=current,
    )
    backup_id = int(connection.execute(new.returning(backups.c.id)).scalar_one())
    completed = events_pb2.BackupCompleted(
        backup_id=backup_id, app_id=change.app_id, archive=change.volume_id, size=change.size
    )
    _announce(connection, BACKUP_COMPLETED, event=completed)
    return backup_id


def _render_note(
    connection: sa.Connection,
    change: NoteProgress | NoteWaiting | NoteLeftOut | RecordApp | NoteTestLog | EndTest,
) -> dict[str, Any]:
    """Render the columns of a change that leaves the backup's status as it is."""
    match change:
        case NoteProgress():
            return {"progress": change.progress}
        case NoteWaiting():
            return {"waiting_for": change.reason}
        case NoteLeftOut():
            return {"left_out": list(change.volumes)}
        case RecordApp():
            return {"recorded": change.app.to_json()}
        case NoteTestLog() | EndTest():
            return _render_test_change(connection, change)


def _render_check_end(connection: sa.Connection, change: EndCheck) -> dict[str, Any]:
    """Render the columns of a check that ended, and announce a broken archive."""
    row = connection.execute(sa.select(backups).where(backups.c.id == change.backup_id)).one_or_none()
    # Deleted while its archive was read.
    if row is None:
        return {}
    if change.status is ArchiveCheckStatus.BROKEN:
        announce_broken(connection, row.id, app_id=row.app_id, reason=change.message)
    ended = replace(
        backup_of_row(row).archive_check,
        status=change.status,
        message=change.message,
        node=change.node,
        ended_at=now(),
    )
    return render_check(ended)


def _render_test_change(connection: sa.Connection, change: NoteTestLog | EndTest) -> dict[str, Any]:
    """Render the columns of a restore test that goes on or ends, and announce one that failed."""
    row = connection.execute(sa.select(backups).where(backups.c.id == change.backup_id)).one_or_none()
    # Deleted while it was tested, as with its app.
    if row is None:
        return {}
    test = replace(backup_of_row(row).restore_test, log=change.log)
    if isinstance(change, EndTest):
        test = replace(
            test,
            status=change.status,
            failed_step=change.failed_step,
            message=change.message,
            ended_at=now(),
        )
        if change.status is RestoreTestStatus.FAILED:
            failed = events_pb2.RestoreTestFailed(
                backup_id=change.backup_id,
                app_id=change.app_id,
                step=change.failed_step,
                reason=change.message,
            )
            _announce(connection, RESTORE_TEST_FAILED, event=failed)
    return render_test(test)


def write_line(_: sa.Connection, operation: ClaimedOperation, *, line: LogLine) -> None:
    """Write a line of an operation into the service's log; the app's users read the reports to apps."""
    log.info(
        "operation_line",
        operation_id=operation.id,
        level_shown=line.level,
        step=line.step,
        message=line.message,
    )


def build_operation_store(
    db: Database, limits: OperationLimits = operations_store.NO_LIMITS
) -> operations_store.SqlOperationStore:
    """Build the store of operations for the engine."""
    return operations_store.SqlOperationStore(db, tables, apply=apply_change, log=write_line, limits=limits)


def _announce(connection: sa.Connection, subject: str, *, event: ProtoMessage) -> None:
    add_messages(connection, outbox, messages=[new_message(subject, event)])


def _announce_change(connection: sa.Connection, change: Change) -> None:
    # Progress comes every few seconds, and streams show it as that of the app's operation.
    if not isinstance(change, NoteProgress | RecordApp | NoteTestLog):
        announce_changes(connection, backups.c.id == change.backup_id)
