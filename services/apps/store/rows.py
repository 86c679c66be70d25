"""Rows of apps and their domain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.apps.domain.config import AppConfig
from services.apps.domain.entities import App, AppEvent, Condition
from services.apps.domain.rendering import AppRendering
from services.apps.store.tables import apps
from services.clients.backups.values import LastBackup, OverdueRun
from services.common.identity.keys import Sealer

LAST_BACKUP = (
    "last_backup_id", "last_backup_at", "last_backup_storage", "backup_overdue_since", "backup_overdue_policy",
)  # fmt: skip
_APP_COLUMNS = frozenset(column.name for column in apps.c).difference(LAST_BACKUP)
SEALED_COLUMNS = ("environment", "inputs")


class AppRows:
    """Apps as rows and back; values are sealed for their row and column."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def parse_app(self, row: Mapping[str, Any]) -> App:
        """The app of the values of a row of `apps`, or of the record of one.

        `rollback` is 1 for an app whose last update can be undone; rows and records without it have none.
        """
        # Records of earlier releases lack the columns that came since; the app has their defaults.
        values = {name: row[name] for name in _APP_COLUMNS if name in row}
        for name in SEALED_COLUMNS:
            # Bound to row and column: a sealed value cannot be opened in another row.
            place = f"apps.{name}.{values['id']}"
            values[name] = json.loads(self._sealer.open(values[name], place=place)) if values[name] else {}
        values["secret_names"] = tuple(values["secret_names"])
        values["config"] = AppConfig.from_json(values["config"])
        values["rendering"] = AppRendering.from_json(values["rendering"])
        values["conditions"] = tuple(
            Condition(type=item["type"], message=item["message"], since=datetime.fromisoformat(item["since"]))
            for item in values["conditions"]
        )
        return App(**values, **_parse_backups(row), has_rollback=bool(row.get("rollback")))

    def render_app(self, app: App) -> dict[str, Any]:
        """The row of an app."""
        row = {column: getattr(app, column) for column in _APP_COLUMNS}
        row["conditions"] = _render_conditions(app.conditions)
        return self.render_columns(app.id, row)

    def render_columns(self, app_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Changed columns of an app.

        Raises:
            ValueError: there is no such column.
        """
        unknown = set(values) - _APP_COLUMNS
        if unknown:
            raise ValueError(f"apps has no column {', '.join(sorted(unknown))}")
        fields = dict(values)
        fields |= {
            name: self._seal(app_id, name, values=fields[name]) for name in SEALED_COLUMNS if name in fields
        }
        fields |= {name: fields[name].to_json() for name in ("config", "rendering") if name in fields}
        if "secret_names" in fields:
            fields["secret_names"] = list(fields["secret_names"])
        return fields

    def _seal(self, app_id: str, column: str, *, values: Mapping[str, str]) -> str:
        if column == "inputs" and not values:
            return ""
        return self._sealer.seal(json.dumps(dict(values)), place=f"apps.{column}.{app_id}")


def _parse_backups(row: Mapping[str, Any]) -> dict[str, Any]:
    """The newest backup of an app and the one that is overdue; records of earlier releases have neither."""
    backup_id, backup_at, storage, since, policy = (row.get(name) for name in LAST_BACKUP)
    last = None
    if backup_at is not None and (backup_id is not None or storage):
        last = LastBackup(backup_id, backup_at, storage or "")
    return {
        "last_backup": last,
        "overdue_backup": OverdueRun(row["id"], policy or "", since) if since is not None else None,
    }


def _render_conditions(conditions: Sequence[Condition]) -> list[dict[str, str]]:
    """Conditions as JSON values."""
    return [{"type": c.type, "message": c.message, "since": c.since.isoformat()} for c in conditions]


def parse_event(row: sa.Row[Any]) -> AppEvent:
    """The event of a row of `app_events`."""
    return AppEvent(id=row.id, kind=row.kind, level=row.level, message=row.message, step=row.step, at=row.at)
