"""Events of the stream of everything, as messages."""

from __future__ import annotations

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.backups.v1 import events_pb2

from services.apps.convert.apps import render_log, render_status
from services.apps.domain.entities import App, AppEvent
from services.apps.domain.feed import BackupAlert, ChangedBackup, RecordedEvent
from services.common.core.clock import now
from services.common.operations.model import Operation
from services.common.rpc.responses.rendered import render_operation, render_time


def render_connected(number: int) -> pb.Event:
    """Render the beginning of a stream."""
    connected = pb.Connected(last_event_id=str(number))
    return pb.Event(id=str(number), timestamp=render_time(now()), connected=connected)


def render_keep_alive(number: int) -> pb.Event:
    """Render a sign of life, with the id to resume after."""
    return pb.Event(id=str(number), timestamp=render_time(now()))


def render_created(event: RecordedEvent, app: app_pb2.App) -> pb.Event:
    """Render that an app is new."""
    return pb.Event(id=str(event.id), timestamp=render_time(event.at), created=app)


def render_recorded(event: RecordedEvent, *, app: App | None, operation: Operation | None) -> pb.Event:
    """Render a recorded event.

    Args:
        event: what was recorded.
        app: the app as it is now, for a status that it still has.
        operation: the operation under way on it.
    """
    message = pb.Event(id=str(event.id), timestamp=render_time(event.at))
    if event.alert is not None:
        getattr(message, event.alert.kind).CopyFrom(_render_alert(event.alert))
    elif event.kind == "log":
        message.log.app_id = event.app_id
        message.log.line.CopyFrom(render_log(_find_line(event)))
    elif event.kind == "removed":
        # As the answer of a deletion, so that clients have one kind of message for both.
        gone = pb.DeleteAppResponse(id=event.app_id, status="removed", message="The app is gone")
        message.removed.CopyFrom(gone)
    elif event.backup is not None:
        message.backup.CopyFrom(_render_backup(event.backup))
    # The rest of the app is of now: it belongs only to the status that the app still has.
    elif app is not None and app.status == event.message:
        message.status.CopyFrom(render_status(app, operation))
    else:
        message.status.CopyFrom(pb.AppStatus(id=event.app_id, status=event.message))
    return message


def render_operation_event(number: int, operation: Operation) -> pb.Event:
    """Render an operation that began, advanced or ended."""
    return pb.Event(
        id=str(number), timestamp=render_time(operation.updated_at), operation=render_operation(operation)
    )


def parse_backup_changed(message: events_pb2.BackupChanged) -> ChangedBackup:
    """Parse an announcement of the backups service."""
    return ChangedBackup(
        backup_id=message.backup_id,
        app_id=message.app_id,
        owner_id=message.owner_id,
        status=message.status,
        updated_at=message.updated_at.ToDatetime(now().tzinfo),
    )


def parse_backup_failed(data: bytes) -> BackupAlert:
    """Parse the announcement of a backup that failed."""
    event = events_pb2.BackupFailed.FromString(data)
    return BackupAlert(
        kind="backup_failed", app_id=event.app_id, backup_id=event.backup_id, message=event.reason
    )


def parse_backup_overdue(data: bytes) -> BackupAlert:
    """Parse the announcement of a run that gave no backup in time."""
    event = events_pb2.BackupOverdue.FromString(data)
    due = event.expected_at.ToDatetime(now().tzinfo)
    return BackupAlert(
        kind="backup_overdue",
        app_id=event.app_id,
        policy_id=event.policy_id,
        message=f"the run of {due:%Y-%m-%d %H:%M} UTC has given no backup",
    )


def parse_backup_broken(data: bytes) -> BackupAlert:
    """Parse the announcement of a broken archive."""
    event = events_pb2.BackupBroken.FromString(data)
    return BackupAlert(
        kind="backup_broken", app_id=event.app_id, backup_id=event.backup_id, message=event.reason
    )


def parse_restore_test_failed(data: bytes) -> BackupAlert:
    """Parse the announcement of a restore test that failed."""
    event = events_pb2.RestoreTestFailed.FromString(data)
    return BackupAlert(
        kind="restore_test_failed",
        app_id=event.app_id,
        backup_id=event.backup_id,
        message=f"{event.step}: {event.reason}",
    )


def _render_alert(alert: BackupAlert) -> pb.BackupAlert:
    return pb.BackupAlert(
        application_id=alert.app_id,
        backup_id=alert.backup_id,
        policy_id=alert.policy_id,
        message=alert.message,
    )


def _find_line(event: RecordedEvent) -> AppEvent:
    return AppEvent(
        id=event.id, kind=event.kind, level=event.level, message=event.message, step=event.step, at=event.at
    )


def _render_backup(changed: ChangedBackup) -> pb.BackupEvent:
    return pb.BackupEvent(
        id=changed.backup_id,
        application_id=changed.app_id,
        status=changed.status,
        updated_at=render_time(changed.updated_at),
    )
