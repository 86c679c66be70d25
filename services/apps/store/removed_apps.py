"""Records of removed apps: what their backups are restored with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.apps.domain.entities import App
from services.apps.store.rows import LAST_BACKUP, SEALED_COLUMNS, AppRows
from services.apps.store.tables import apps, removed_apps, upgrades
from services.common.core.clock import now
from services.common.db.database import UtcDateTime, insert_ignore

_TIMES = tuple(
    column.name
    for column in apps.c
    if isinstance(column.type, UtcDateTime) and column.name not in LAST_BACKUP
)


def keep_record(connection: sa.Connection, app_id: str) -> None:
    """Keep the row of an app that is about to be removed; what is sealed in it stays sealed as it is."""
    row = connection.execute(sa.select(apps).where(apps.c.id == app_id)).one()
    record: dict[str, Any] = row._asdict()
    sealed = {name: record.pop(name) for name in SEALED_COLUMNS}
    for name in LAST_BACKUP:  # of the app's life; its backups are listed by the service backups
        del record[name]
    record |= {name: record[name].isoformat() for name in _TIMES if record[name] is not None}
    values = {"id": app_id, **sealed, "record": record, "removed_at": now()}
    # A worker that takes over repeats the removal.
    connection.execute(insert_ignore(removed_apps, connection).values(**values))


def find_record(connection: sa.Connection, rows: AppRows, *, app_id: str) -> App | None:
    """A removed app as it was, or None when nothing is known of it."""
    row = connection.execute(sa.select(removed_apps).where(removed_apps.c.id == app_id)).one_or_none()
    if row is None:
        return None
    times = {name: datetime.fromisoformat(row.record[name]) for name in _TIMES if row.record.get(name)}
    sealed = {name: getattr(row, name) for name in SEALED_COLUMNS}
    return rows.parse_app({**row.record, **times, **sealed})


def hand_over_records(connection: sa.Connection, owner_id: int, *, to: int) -> None:
    """Give the removed apps of a user to another one, who then restores their backups."""
    owned = removed_apps.c.record["owner_id"].as_integer() == owner_id
    for row in connection.execute(sa.select(removed_apps.c.id, removed_apps.c.record).where(owned)).all():
        change = removed_apps.update().where(removed_apps.c.id == row.id)
        connection.execute(change.values(record={**row.record, "owner_id": to}))


def list_records(connection: sa.Connection, *, before: datetime, after: str, limit: int) -> list[str]:
    """Ids of apps that were removed before a time, by id, after one of them."""
    query = sa.select(removed_apps.c.id).where(removed_apps.c.removed_at < before, removed_apps.c.id > after)
    return list(connection.execute(query.order_by(removed_apps.c.id).limit(limit)).scalars())


def forget_records(connection: sa.Connection, app_ids: Sequence[str]) -> int:
    """Forget removed apps, with the versions that they had; how many there were."""
    connection.execute(upgrades.delete().where(upgrades.c.app_id.in_(app_ids)))
    return int(connection.execute(removed_apps.delete().where(removed_apps.c.id.in_(app_ids))).rowcount)
