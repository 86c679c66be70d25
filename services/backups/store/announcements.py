"""Announcement of changed backups, by which streams of events show them."""

from __future__ import annotations

import sqlalchemy as sa
from proximity.backups.v1 import events_pb2

from services.backups.store.tables import backups, outbox
from services.common.core.clock import now
from services.common.messaging.outbox import add_messages, new_message
from services.common.rpc.responses.rendered import render_time

BACKUP_CHANGED = "events.backups.v1.backup_changed"
BACKUP_BROKEN = "events.backups.v1.backup_broken"


def announce_broken(connection: sa.Connection, backup_id: int, *, app_id: str, reason: str) -> None:
    """Announce that the archive of a backup was found broken."""
    event = events_pb2.BackupBroken(backup_id=backup_id, app_id=app_id, reason=reason)
    add_messages(connection, outbox, messages=[new_message(BACKUP_BROKEN, event)])


def announce_changes(
    connection: sa.Connection, *where: sa.ColumnElement[bool], is_removal: bool = False
) -> None:
    """Announce backups as they are in the transaction of their change, or (before it) their removal."""
    columns = (backups.c.id, backups.c.app_id, backups.c.owner_id, backups.c.status, backups.c.updated_at)
    for row in connection.execute(sa.select(*columns).where(*where)).all():
        event = events_pb2.BackupChanged(
            backup_id=row.id,
            app_id=row.app_id,
            owner_id=row.owner_id,
            # The row is still there: after its removal nobody could say whose backup it was.
            status="deleted" if is_removal else row.status,
            updated_at=render_time(now() if is_removal else row.updated_at),
        )
        add_messages(connection, outbox, messages=[new_message(BACKUP_CHANGED, event)])
