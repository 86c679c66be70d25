"""The databases of our services: what they hold already, and one transaction for each that gets something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deploy.import_django.plan import Known, Plan
from services.apps.store import tables as apps_tables
from services.apps.store.changes import AppChanges
from services.apps.store.rows import AppRows
from services.apps.store.upgrades import UpgradeRows
from services.auth.store import tables as auth_tables
from services.backups.store import tables as backups_tables
from services.common.db.database import create_engine, url_for_service
from services.common.db.migrations import upgrade
from services.common.identity.keys import Sealer
from services.inventory.store import tables as inventory_tables

SERVICES = ("auth", "inventory", "apps", "backups")
_SECRETS = ("password", "token_secret", "ssh_key")


def read_known(url: str) -> Known:
    """What is there already; a database that does not exist yet holds nothing and is not made."""
    found: dict[str, list[dict[str, Any]]] = {}
    for service, name, table in _list_tables():
        with _connect(url, service) as connection:
            present = connection is not None and sa.inspect(connection).has_table(table.name)
            rows = (
                connection.execute(sa.select(table)).mappings() if connection is not None and present else ()
            )
            found[name] = [dict(row) for row in rows]
    return Known(**found)


def _list_tables() -> tuple[tuple[str, str, sa.Table], ...]:
    return (
        ("auth", "users", auth_tables.users),
        ("inventory", "hosts", inventory_tables.hosts),
        ("inventory", "vmids", inventory_tables.vmids),
        ("inventory", "settings", inventory_tables.settings),
        ("apps", "apps", apps_tables.apps),
        ("apps", "ports", apps_tables.ports),
        ("backups", "backups", backups_tables.backups),
        ("apps", "app_operations", apps_tables.operation_tables.operations),
        ("backups", "backup_operations", backups_tables.operations),
        ("auth", "audit_entries", auth_tables.audit_entries),
    )


@contextmanager
def _connect(url: str, service: str) -> Iterator[sa.Connection | None]:
    target = url_for_service(url, service)
    if target.startswith("sqlite") and not Path(target.removeprefix("sqlite:///")).is_file():
        yield None
        return
    engine = create_engine(url, service=service, pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def migrate(url: str) -> None:
    """Bring the databases to the newest version, made where they are missing."""
    for service in SERVICES:
        upgrade(url, service)


def write_plan(url: str, plan: Plan, sealer: Sealer) -> None:
    """Write everything, one transaction per service, in the order in which one names the other."""
    _write(url, "auth", lambda connection: _insert(connection, auth_tables.users, plan.users))
    _write(url, "inventory", lambda connection: _write_inventory(connection, plan, sealer))
    _write(url, "apps", lambda connection: _write_apps(connection, plan, sealer))
    _write(url, "backups", lambda connection: _insert(connection, backups_tables.backups, plan.backups))


def _write(url: str, service: str, fn: Callable[[sa.Connection], None]) -> None:
    engine = create_engine(url, service=service, pool_size=1)
    try:
        with engine.execution_options(begin="IMMEDIATE").begin() as connection:
            fn(connection)
    finally:
        engine.dispose()


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows that bring their ids; PostgreSQL's counter goes on behind them."""
    if not rows:
        return
    connection.execute(table.insert(), rows)
    if connection.dialect.name == "postgresql" and "id" in rows[0]:
        last = sa.select(sa.func.max(table.c.id)).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, "id"), last)))


def _write_inventory(connection: sa.Connection, plan: Plan, sealer: Sealer) -> None:
    _insert(connection, inventory_tables.hosts, [_seal_host(row, sealer) for row in plan.hosts])
    _insert(connection, inventory_tables.settings, plan.settings)
    _insert(connection, inventory_tables.vmids, plan.vmids)


def _seal_host(row: dict[str, Any], sealer: Sealer) -> dict[str, Any]:
    sealed = {
        name: sealer.seal(row[name], place=f"hosts.{name}.{row['id']}") if row[name] else ""
        for name in _SECRETS
    }
    return {**row, **sealed}


def _write_apps(connection: sa.Connection, plan: Plan, sealer: Sealer) -> None:
    rows = AppRows(sealer)
    changes = AppChanges(rows, upgrades=UpgradeRows(sealer, rows), notify=lambda _: None)
    _insert(connection, apps_tables.app_events, plan.events)
    for app, begin in plan.apps:
        if not changes.add_app(connection, app, begin=begin):
            raise RuntimeError(f"port {app.public_port} of host {app.host_id} was taken meanwhile")
