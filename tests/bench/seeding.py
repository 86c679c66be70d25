"""Fills the databases in bulk: users, apps with logs and operations, backups, catalog items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.apps.store import tables as apps_tables
from services.auth.store import tables as auth_tables
from services.backups.store import tables as backups_store
from services.catalog.config import DATA
from services.common.db.database import create_engine
from services.common.identity.keys import Sealer

USERS = 50
LOG_LINES = 10
RICH_LOG_LINES = 500
RICH_BACKUPS = 40
_CHUNK = 2000
_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
_FIRST_VMID = 1_000_000
_COMPOSE = "services:\n  web:\n    image: nginx:1.27.4-alpine\n    ports: ['80:80']\n" * 8


class Seeder:
    """Bulk inserts into one stack's databases.

    Args:
        url: of the databases, as the services get it.
        secret_key: with which environments are sealed.
    """

    def __init__(self, url: str, secret_key: str) -> None:
        self._url = url
        self._sealer = Sealer(secret_key)

    def add_users(self, like: str) -> list[int]:
        """Add users with the password of the user `like`; their ids."""
        users = auth_tables.users
        with self._begin("auth") as connection:
            model = connection.execute(sa.select(users).where(users.c.username == like)).mappings().one()
            rows = [
                {**model, "id": None, "email_key": None, "is_staff": False}
                | {"username": f"bench{number}", "username_key": f"bench{number}"}
                for number in range(USERS)
            ]
            for row in rows:
                del row["id"]
            connection.execute(users.insert(), rows)
            query = sa.select(users.c.id).where(users.c.username.like("bench%")).order_by(users.c.id)
            return list(connection.execute(query).scalars())

    def add_apps(self, count: int, owners: list[int], *, host_id: int) -> None:
        """Add apps, one owner after the other, each with a log and a finished operation."""
        tables = apps_tables
        with self._begin("apps") as connection:
            for chunk in _chunks(count):
                rows = [self._app(number, owners, host_id) for number in chunk]
                steps = [_step(row["id"], position) for row in rows for position in range(3)]
                insert_rows(connection, tables.apps, rows)
                insert_rows(connection, tables.operation_tables.operations, [_operation(row) for row in rows])
                insert_rows(connection, tables.operation_tables.steps, steps)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(
                    "SET LOCAL statement_timeout = 0"
                )  # a million lines by one statement
            connection.execute(_insert_logs(LOG_LINES))
        self._settle("apps")

    def add_log(self, app_id: str) -> None:
        """Give one app a long log."""
        with self._begin("apps") as connection:
            connection.execute(
                apps_tables.app_events.insert(), [_event(app_id, n) for n in range(RICH_LOG_LINES)]
            )

    def add_backups(self, count: int, owners: list[int], *, host_id: int) -> None:
        """Give every app a backup."""
        with self._begin("backups") as connection:
            for chunk in _chunks(count):
                rows = [
                    _backup(app_id_of(n), owners[n % len(owners)], host_id=host_id, number=n) for n in chunk
                ]
                insert_rows(connection, backups_store.backups, rows)
        self._settle("backups")

    def add_rich_backups(self, app_id: str, owner: int, *, host_id: int) -> None:
        """Give one app many backups."""
        with self._begin("backups") as connection:
            numbers = range(10_000_000, 10_000_000 + RICH_BACKUPS)
            rows = [_backup(app_id, owner, host_id=host_id, number=number) for number in numbers]
            connection.execute(backups_store.backups.insert(), rows)

    @contextmanager
    def _begin(self, service: str, **options: Any) -> Iterator[sa.Connection]:
        """Begin a transaction in a service's database, and close the connection after it."""
        engine = create_engine(self._url, service=service).execution_options(**options)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def _settle(self, service: str) -> None:
        """Have the database learn what it holds, as it would by itself in time."""
        with self._begin(service, isolation_level="AUTOCOMMIT") as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            connection.exec_driver_sql("ANALYZE" if is_sqlite else "VACUUM ANALYZE")

    def _app(self, number: int, owners: list[int], host_id: int) -> dict[str, Any]:
        app_id = app_id_of(number)
        environment = {"TZ": "Etc/UTC", "ADMIN_PASSWORD": f"secret-{number}", "TITLE": f"App {number}"}
        created = _BEGAN + timedelta(seconds=number * 7)
        return {
            "id": app_id,
            "catalog_id": "nginx",
            "name": f"App {number}",
            "hostname": f"web-{number:06d}",
            "status": ("running", "running", "running", "stopped", "error")[number % 5],
            "host_id": host_id,
            "node": "pve",
            "vmid": _FIRST_VMID + number,
            "owner_id": owners[number % len(owners)],
            "runtime": "compose",
            "internal_port": 80,
            "public_port": 8100 + number % 50_000,
            "published": True,
            "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "config": {"memory": 512, "cores": 2, "disk_size": 8, "swap": 512, "storage": "local-lvm"},
            "environment": self._sealer.seal(json.dumps(environment), place=f"apps.environment.{app_id}"),
            "secret_names": ["ADMIN_PASSWORD"],
            "rendering": {"compose": _COMPOSE, "images": ["nginx:1.27.4-alpine"], "probe": {"path": "/"}},
            "revision": "r1",
            "adopted": False,
            "error": "the container does not answer" if number % 5 == 4 else "",
            "conditions": [],
            "created_at": created,
            "updated_at": created,
            "state_changed_at": created,
        }


def app_id_of(number: int) -> str:
    """The id of a seeded app."""
    return f"nginx-{number:08x}"


def write_catalog(folder: Path, *, count: int) -> None:
    """Write a catalog of `count` items: ours, and variations of them.

    Each has a name of its own: items of one name are one entry of a list, with all of them as its sources.
    """
    folder.mkdir(parents=True)
    texts = sorted(DATA.glob("*.yaml"))
    for number in range(count):
        source = texts[number % len(texts)]
        text, item = source.read_text(encoding="utf-8"), source.stem
        if number >= len(texts):
            item = f"{source.stem}-{number}"
            text = text.replace(f"id: {source.stem}\n", f"id: {item}\n", 1)
            text = re.sub(r"^name: (.+)$", rf"name: \1 {number}", text, count=1, flags=re.MULTILINE)
        (folder / f"{item}.yaml").write_text(text, encoding="utf-8")


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows with the same columns: on PostgreSQL by COPY."""
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), rows)
        return
    names = list(rows[0])
    is_json = [isinstance(table.c[name].type, sa.JSON) for name in names]
    columns = ", ".join(table.c[name].name for name in names)
    driver: Any = connection.connection.driver_connection
    with driver.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            values = zip((row[name] for name in names), is_json, strict=True)
            copy.write_row([json.dumps(value) if packed else value for value, packed in values])


def _chunks(count: int) -> Iterator[range]:
    for start in range(0, count, _CHUNK):
        yield range(start, min(start + _CHUNK, count))


def _operation(app: dict[str, Any]) -> dict[str, Any]:
    at = app["created_at"]
    return {
        "id": app["id"].rpartition("-")[2].rjust(32, "b"),
        "subject": app["id"],
        "kind": "deploy_app",
        "status": "succeeded",
        "state": {},
        "step_index": 3,
        "step_count": 3,
        "progress": 100,
        "attempt": 1,
        "undo_attempts": 0,
        "error": "",
        "waiting_for": "",
        "worker": "bench",
        "fence": 1,
        "not_before": at,
        "cancel_requested": False,
        "delegated": False,
        "requested_by": app["owner_id"],
        "traceparent": "",
        "created_at": at,
        "started_at": at,
        "updated_at": at,
        "finished_at": at,
    }


def _step(app_id: str, position: int) -> dict[str, Any]:
    return {
        "operation_id": app_id.rpartition("-")[2].rjust(32, "b"),
        "position": position,
        "name": f"step_{position}",
        "description": f"Doing part {position}",
        "status": "done",
        "attempts": 1,
        "started_at": _BEGAN,
        "finished_at": _BEGAN,
        "message": "",
        "upids": [],
    }


def _event(app_id: str, number: int) -> dict[str, Any]:
    return {
        "app_id": app_id,
        "kind": "log",
        "level": "info",
        "message": f"Pulling layer {number} of nginx:1.27.4-alpine",
        "step": "pull_images",
        "at": _BEGAN + timedelta(seconds=number),
    }


def _insert_logs(lines: int) -> sa.Insert:
    """Lines for every app, made by the database itself."""
    apps, events = apps_tables.apps, apps_tables.app_events
    parts = [sa.select(sa.literal(f"Line {number} of the log").label("line")) for number in range(lines)]
    numbers = sa.union_all(*parts).subquery()
    names = ["app_id", "kind", "level", "message", "step", "at"]
    values = sa.select(
        apps.c.id,
        sa.literal("log"),
        sa.literal("info"),
        numbers.c.line,
        sa.literal("probe"),
        apps.c.created_at,
    ).select_from(apps.join(numbers, sa.true()))
    return events.insert().from_select(names, values)


def _backup(app_id: str, owner: int, *, host_id: int, number: int) -> dict[str, Any]:
    at = _BEGAN + timedelta(seconds=number % 1_000_000)
    return {
        "app_id": app_id,
        "owner_id": owner,
        "host_id": host_id,
        "vmid": _FIRST_VMID + number,
        "backup_type": "snapshot",
        "compression": "zstd",
        "wanted_storage": "",
        "mark": f"bench-{number}",
        "status": "completed",
        "volume_id": f"local:backup/vzdump-lxc-{number}.tar.zst",
        "file_name": f"vzdump-lxc-{number}.tar.zst",
        "storage": "local",
        "size": 123_456_789,
        "error": "",
        "protected": False,
        "notes": "nightly",
        "progress": 100,
        "created_at": at,
        "updated_at": at,
        "completed_at": at,
    }
