"""Events of all apps in the order of their ids, for the stream of everything that a user may see.

Rows of kinds `removed` and `backup` belong to no app's own stream: their `app_id` is empty, so that processes of a
release before, which know only `status` and `log`, never read them; JSON in `message` says what they are about.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.apps.domain.feed import BackupAlert, ChangedBackup, RecordedEvent
from services.apps.store.tables import app_events, apps, inbox, operation_tables
from services.common.core.clock import now
from services.common.db.database import Database
from services.common.messaging.outbox import note_received
from services.common.operations.model import Operation
from services.common.operations.queries import read_operations

ops = operation_tables.operations
_SNAPSHOT = sa.text(
    "select pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint from pg_current_snapshot() s"
)


class FeedRows:
    """Events of all apps, and of their backups."""

    _db: Database
    _notify: Callable[[str], None]

    async def note_backup(self, changed: ChangedBackup, *, message_id: str) -> None:
        """Record a change of a backup, once for each message."""

        def write(connection: sa.Connection) -> None:
            # NATS may deliver twice: the inbox and the event commit together, so listeners see a change once.
            if note_received(connection, inbox, message_id=message_id):
                _add_backup(connection, changed)
                self._notify(changed.app_id)

        await self._db.write(write)

    async def note_backup_alert(self, alert: BackupAlert, *, message_id: str) -> None:
        """Record a fault of a backup, once for each message; of an app that is gone, nothing."""

        def write(connection: sa.Connection) -> None:
            query = sa.select(apps.c.owner_id).where(apps.c.id == alert.app_id)
            if not note_received(connection, inbox, message_id=message_id):
                return
            owner_id = connection.execute(query).scalar_one_or_none()
            if owner_id is not None:
                # A release before shows the kind `log` as a line, and any other that it does not know as a status.
                _add(
                    connection,
                    "log",
                    values=asdict(alert) | {"owner_id": owner_id},
                    step=alert.kind,
                    level="error",
                )
                self._notify(alert.app_id)

        await self._db.write(write)

    async def list_event_ids(self, *, after: int, limit: int) -> list[int]:
        """List ids of events after one, in order."""
        query = (
            sa.select(app_events.c.id).where(app_events.c.id > after).order_by(app_events.c.id).limit(limit)
        )
        return await self._db.read(lambda connection: list(connection.execute(query).scalars()))

    async def find_newest_event_id(self) -> int:
        """Return the id of the newest event of all, 0 when there is none."""
        query = sa.select(sa.func.max(app_events.c.id))
        return int(await self._db.read(lambda connection: connection.execute(query).scalar()) or 0)

    async def read_transactions(self) -> tuple[int, int]:
        """Return the numbers of the oldest transaction under way and of the next one to begin; equal when there is none.

        SQLite has one writer at a time, and ids in the order of the commits: no transaction can bring a missing one.
        """

        def read(connection: sa.Connection) -> tuple[int, int]:
            if connection.dialect.name != "postgresql":
                return 0, 0
            return tuple(connection.execute(_SNAPSHOT).one())

        return await self._db.read(read)

    async def list_recorded(
        self, *, after: int, until: int, owner: int | None, limit: int
    ) -> list[RecordedEvent]:
        """List events between two ids, the second included, in order, of an owner's apps (None: of all).

        Removals and changes of backups of other users are among them, as the owner is in their message.
        """
        page = (
            sa.select(app_events, apps.c.owner_id)
            # An app may be gone, or the row may belong to none: its event is still wanted.
            .outerjoin(apps, apps.c.id == app_events.c.app_id)
            .where(app_events.c.id > after, app_events.c.id <= until)
            .order_by(app_events.c.id)
        )
        if owner is not None:
            # The caller filters what belongs to no app's row, whose owner is in the message.
            page = page.where(sa.or_(apps.c.owner_id == owner, app_events.c.app_id == ""))
        rows = await self._db.read(lambda connection: connection.execute(page.limit(limit)).all())
        return [_parse(row) for row in rows]

    async def list_newest_operations(self, app_ids: Collection[str]) -> list[Operation]:
        """List the newest operation of each of some apps."""
        # An empty IN would be a statement for nothing.
        if not app_ids:
            return []
        newer = ops.alias()
        newest = sa.select(sa.func.max(newer.c.created_at)).where(newer.c.subject == ops.c.subject)
        query = sa.select(ops).where(ops.c.subject.in_(app_ids), ops.c.created_at == newest.scalar_subquery())
        return await self._db.read(
            lambda connection: read_operations(connection, operation_tables, query=query)
        )

    async def list_moving_operations(self, *, since: datetime | None) -> list[Operation]:
        """List unfinished operations, or those of them that changed since a time, oldest first."""
        query = sa.select(ops).where(ops.c.finished_at.is_(None))
        if since is not None:
            query = query.where(ops.c.updated_at >= since)
        query = query.order_by(ops.c.created_at)
        return await self._db.read(
            lambda connection: read_operations(connection, operation_tables, query=query)
        )

    async def list_owners(self, app_ids: Collection[str]) -> dict[str, int]:
        """Return the owners of those of some apps that exist."""
        query = sa.select(apps.c.id, apps.c.owner_id).where(apps.c.id.in_(app_ids))
        rows = await self._db.read(lambda connection: connection.execute(query).all()) if app_ids else []
        return {row.id: row.owner_id for row in rows}


def add_removal(connection: sa.Connection, app_id: str, *, owner_id: int) -> None:
    """Record that an app is gone."""
    _add(connection, "removed", values={"app_id": app_id, "owner_id": owner_id})


def _add_backup(connection: sa.Connection, changed: ChangedBackup) -> None:
    values = {
        "app_id": changed.app_id,
        "owner_id": changed.owner_id,
        "backup_id": changed.backup_id,
        "status": changed.status,
        "updated_at": changed.updated_at.isoformat(),
    }
    _add(connection, "backup", values=values)


def _add(
    connection: sa.Connection, kind: str, *, values: dict[str, object], step: str = "", level: str = "info"
) -> None:
    row = {
        "app_id": "",
        "kind": kind,
        "level": level,
        "message": json.dumps(values),
        "step": step,
        "at": now(),
    }
    connection.execute(app_events.insert().values(**row))


def _parse(row: sa.Row[Any]) -> RecordedEvent:
    values = {name: getattr(row, name) for name in ("id", "kind", "level", "message", "step", "at")}
    if row.app_id:
        return RecordedEvent(app_id=row.app_id, owner_id=row.owner_id or 0, **values)
    about = json.loads(row.message)
    backup = _parse_backup(about) if row.kind == "backup" else None
    owner_id = about.pop("owner_id") if row.kind == "log" else about["owner_id"]
    alert = BackupAlert(**about) if row.kind == "log" else None
    return RecordedEvent(app_id=about["app_id"], owner_id=owner_id, backup=backup, alert=alert, **values)


def _parse_backup(about: dict[str, Any]) -> ChangedBackup:
    return ChangedBackup(**{**about, "updated_at": datetime.fromisoformat(about["updated_at"])})
