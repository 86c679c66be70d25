"""What is there after the storm: databases, Proxmox, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from services.registry import SERVICES
from tests.chaos.history import Exchange

Row = dict[str, Any]
_ROWS = {
    "apps": "SELECT id, catalog_id, name, hostname, status, host_id, node, vmid, owner_id, internal_port,"
    " public_port, published, config, adopted, error FROM apps.apps",
    "ports": "SELECT * FROM apps.ports",
    "operations": "SELECT * FROM apps.operations",
    "steps": "SELECT * FROM apps.operation_steps",
    "vmids": "SELECT * FROM inventory.vmids",
    "backups": "SELECT * FROM backups.backups",
    "backup_operations": "SELECT * FROM backups.operations",
    "backup_steps": "SELECT * FROM backups.operation_steps",
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the checks look at; rows are as in the databases.

    Attributes:
        before, after: the simulator's state.
        outboxes: messages that wait, by service.
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
    outboxes: Mapping[str, int] = field(default_factory=dict)
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
        psycopg.Error: the database does not answer.
    """
    with psycopg.connect(url, row_factory=dict_row, connect_timeout=10) as connection:
        found: dict[str, Any] = {name: connection.execute(query).fetchall() for name, query in _ROWS.items()}
        found["outboxes"] = {service: _count_outbox(connection, service) for service in SERVICES}
    return found


def _count_outbox(connection: psycopg.Connection[Row], service: str) -> int:
    exists = connection.execute("SELECT to_regclass(%s) AS found", (f"{service}.outbox",)).fetchone()
    if exists is None or exists["found"] is None:
        return 0
    query = psycopg.sql.SQL("SELECT count(*) AS waiting FROM {}.outbox").format(
        psycopg.sql.Identifier(service)
    )
    row = connection.execute(query).fetchone()
    return int(row["waiting"]) if row else 0


def is_settled(evidence: Evidence) -> bool:
    """Whether nothing is under way any more; an operation that was given up counts as over."""
    operations = [*evidence.operations, *evidence.backup_operations]
    unfinished = [one for one in operations if one["finished_at"] is None and one["status"] != "dead"]
    running = [task for task in evidence.tasks if task.get("endtime") is None]
    return not unfinished and not running and not any(evidence.outboxes.values())
