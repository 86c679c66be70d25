"""The database of the Django system, read as it is: SQLite or PostgreSQL, whatever columns it has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

TABLES: Mapping[str, tuple[str, ...]] = {
    # what it holds: the names that it may have, as the documents and as Django's conventions have them
    "users": ("users", "core_user", "auth_user"),
    "proxmox_hosts": ("proxmox_hosts", "proxmox_proxmoxhost"),
    "proxmox_nodes": ("proxmox_nodes", "proxmox_proxmoxnode"),
    "applications": ("applications", "applications_application"),
    "deployment_logs": ("deployment_logs", "applications_deploymentlog"),
    "backups": ("backups", "backups_backup"),
    "system_settings": ("system_settings", "core_systemsettings"),
}
_REQUIRED = ("users", "applications")


class SourceError(Exception):
    """The old database cannot be read, or is none of the Django system; the message says why."""


class Row:
    """A row whose columns may be missing; a column of several names is read by the first that is there."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @property
    def id(self) -> int:
        """Its primary key, where that is a number; 0 where it is none."""
        return self.number("id") or 0

    @property
    def key(self) -> str:
        """Its primary key as text."""
        return self.text("id")

    def get(self, *names: str) -> object:
        """The first of these columns that holds something, else None."""
        found = (self._values.get(name) for name in names)
        return next((value for value in found if value is not None), None)

    def text(self, *names: str) -> str:
        """The same as text without surrounding space; empty when it is missing."""
        value = self.get(*names)
        return "" if value is None else str(value).strip()

    def number(self, *names: str) -> int | None:
        """The same as a whole number; None when it is missing or none."""
        try:
            return int(str(self.get(*names)))
        except ValueError:
            return None

    def flag(self, *names: str, default: bool) -> bool:
        """The same as yes or no."""
        value = self.get(*names)
        return default if value is None else str(value).lower() in {"1", "true", "t"}

    def mapping(self, *names: str) -> dict[str, Any] | None:
        """The same as a JSON object, empty when it is missing; None when it is something else."""
        value = self.get(*names)
        if value is None or value == "":
            return {}
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def time(self, *names: str) -> datetime | None:
        """The same as a time; one without a zone is UTC, as Django writes it."""
        value = self.get(*names)
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def read_source(url: str) -> dict[str, list[Row]]:
    """Read every table, ordered by id; one that is missing is empty. Nothing is written there.

    Raises:
        SourceError: it cannot be read, or has no users or no applications.
    """
    engine = sa.create_engine(_parse_url(url))
    try:
        with engine.connect() as connection:
            present = set(sa.inspect(connection).get_table_names())
            names = {kind: next((n for n in known if n in present), None) for kind, known in TABLES.items()}
            if missing := [kind for kind in _REQUIRED if names[kind] is None]:
                raise SourceError(f"{_hide(url)} is no database of the Django system: it has no {missing[0]}")
            return {kind: _read_table(connection, name) if name else [] for kind, name in names.items()}
    except sa.exc.SQLAlchemyError as error:
        raise SourceError(f"{_hide(url)} cannot be read: {getattr(error, 'orig', error)}") from error
    finally:
        engine.dispose()


def _read_table(connection: sa.Connection, name: str) -> list[Row]:
    # Untyped columns: the driver's own values, since what Django wrote into them is not always what they declare.
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(column["name"]) for column in sa.inspect(connection).get_columns(name)
    ]
    query = sa.select(*columns).select_from(sa.table(name, *columns))
    if any(column.name == "id" for column in columns):
        query = query.order_by(sa.column("id"))
    return [Row(dict(row)) for row in connection.execute(query).mappings()]


def _parse_url(url: str) -> str:
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        if not file.is_file():
            raise SourceError(f"there is no file {file}")
        return f"sqlite:///file:{file}?mode=ro&uri=true"
    if re.match(r"postgres(ql)?://", url):
        return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
    raise SourceError(f"{_hide(url)} begins neither with sqlite:/// nor with postgresql://")


def _hide(url: str) -> str:
    return re.sub(r"://[^/@]*@", "://…@", url)
