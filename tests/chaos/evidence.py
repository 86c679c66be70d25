"""What is there after the storm: databases, Proxmox, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from services.apps.store import tables as apps_tables
from services.auth.store.tables import audit_entries
from services.backups.store import tables as backups_tables
from services.common.db.database import create_engine
from services.inventory.store.tables import vmids
from services.registry import SERVICES
from tests.chaos.history import Exchange
from tests.chaos.looks import Look

Row = dict[str, Any]
_Tables = Mapping[str, sa.Table]
_APP_COLUMNS = (
    *(
        "id",
        "catalog_id",
        "name",
        "hostname",
        "status",
        "host_id",
        "node",
        "vmid",
        "owner_id",
        "internal_port",
    ),
    *("public_port", "published", "config", "adopted", "error"),
)
# The fields of `Evidence` by the service whose tables they are.
_TABLES: Mapping[str, _Tables] = {
    "apps": {
        "apps": apps_tables.apps,
        "ports": apps_tables.ports,
        "operations": apps_tables.operation_tables.operations,
        "steps": apps_tables.operation_tables.steps,
    },
    "inventory": {"vmids": vmids},
    "backups": {
        "backups": backups_tables.backups,
        "backup_operations": backups_tables.operations,
        "backup_steps": backups_tables.tables.steps,
        "policies": backups_tables.policies,
    },
    "auth": {"audit": audit_entries},
    "catalog": {},
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the checks look at; rows are as in the databases.

    Attributes:
        before, after: the simulator's state.
        outboxes: messages that wait, by service.
        poison: messages that were set aside, by service.
        audit: the entries of the audit log.
        looks: at due runs of policies.
        deaths: what struck operations of backups that were under way, and their ids.
        pages: what the address of a running app answered, by app; 0 when nothing.
        findings: of a reconciliation after the storm.
    """

    history: Sequence[Exchange] = ()
    apps: Sequence[Row] = ()
    ports: Sequence[Row] = ()
    operations: Sequence[Row] = ()
    steps: Sequence[Row] = ()
    vmids: Sequence[Row] = ()
    backups: Sequence[Row] = ()
    backup_operations: Sequence[Row] = ()
    backup_steps: Sequence[Row] = ()
    policies: Sequence[Row] = ()
    looks: Sequence[Look] = ()
    deaths: Sequence[tuple[str, str]] = ()
    outboxes: Mapping[str, int] = field(default_factory=dict)
    poison: Mapping[str, int] = field(default_factory=dict)
    audit: Sequence[Row] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    pages: Mapping[str, int] = field(default_factory=dict)
    findings: Sequence[Row] = ()

    @property
    def containers(self) -> Mapping[int, Row]:
        """The containers of Proxmox by id."""
        return {int(vmid): one for vmid, one in self.after.get("containers", {}).items()}

    @property
    def tasks(self) -> Sequence[Row]:
        """The tasks of Proxmox."""
        found: Sequence[Row] = self.after.get("tasks", [])
        return found


def read_databases(url: str) -> dict[str, Any]:
    """Read every row that the checks look at, as fields of `Evidence`.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    found: dict[str, Any] = {"outboxes": {}, "poison": {}}
    for service in SERVICES:
        engine = create_engine(url, service=service, pool_size=1)
        try:
            with engine.connect() as connection:
                for name, table in _TABLES[service].items():
                    found[name] = _read_rows(connection, table)
                for name, table_name in (("outboxes", "outbox"), ("poison", "poison_messages")):
                    count = sa.select(sa.func.count()).select_from(sa.table(table_name))
                    found[name][service] = connection.execute(count).scalar_one()
        finally:
            engine.dispose()
    return found


def read_backups(connection: sa.Connection) -> dict[str, Any]:
    """Read what of backups tells how often something came up, as fields of `Evidence`."""
    tables = _TABLES["backups"]
    return {
        name: _read_rows(connection, tables[name]) for name in ("backups", "backup_operations", "policies")
    }


def _read_rows(connection: sa.Connection, table: sa.Table) -> list[Row]:
    columns = [table.c[name] for name in _APP_COLUMNS] if table is apps_tables.apps else [table]
    return [dict(row) for row in connection.execute(sa.select(*columns)).mappings()]


def is_settled(evidence: Evidence) -> bool:
    """Whether nothing is under way any more; an operation that was given up counts as over."""
    operations = [*evidence.operations, *evidence.backup_operations]
    unfinished = [one for one in operations if one["finished_at"] is None and one["status"] != "dead"]
    running = [task for task in evidence.tasks if task.get("endtime") is None]
    return not unfinished and not running and not any(evidence.outboxes.values())
