"""The database of the Django system, read as it is: SQLite or PostgreSQL, whatever columns it has."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deploy.import_django.rows import Row

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


def read_source(url: str) -> dict[str, list[Row]]:
    """Read every table, ordered by id; one that is missing is empty. Nothing is written there.

    Raises:
        SourceError: it cannot be read, or has no users or no applications.
    """
    engine = sa.create_engine(_parse_url(url))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _read_broken_text)
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


def _read_broken_text(connection: sqlite3.Connection, _record: object) -> None:
    """Let text that is no UTF-8 through, for `Row` to note: by default one such value fails the whole query."""
    connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")


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
