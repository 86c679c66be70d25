"""Events of the stream of everything, as messages."""

from __future__ import annotations

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.backups.v1 import events_pb2

from services.apps.convert.apps import render_log, render_status
from services.apps.domain.entities import App, AppEvent
from services.apps.domain.feed import ChangedBackup, RecordedEvent
from services.common.core.clock import now
from services.common.core.timestamps import render_time
from services.common.operations.convert import render_operation
from services.common.operations.view import Operation


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
    if event.kind == "log":
        message.log.app_id = event.app_id
        message.log.line.CopyFrom(render_log(_find_line(event)))
    elif event.kind == "removed":
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
