"""What people ask of operations besides beginning them, within a store's transaction."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.operations.tables import OperationTables


def request_cancel(connection: sa.Connection, tables: OperationTables, operation_id: str) -> bool:
    """Ask an unfinished operation to stop; False when it has ended or another service carries it out.

    One that waits is taken up at once.
    """
    table, current = tables.operations, now()
    query = table.update().where(
        table.c.id == operation_id, table.c.finished_at.is_(None), table.c.held.is_(False)
    )
    fields = {"cancel_requested": True, "not_before": current, "updated_at": current}
    return bool(connection.execute(query.values(**fields)).rowcount)


def replay(connection: sa.Connection, tables: OperationTables, operation_id: str | None = None) -> int:
    """Let workers clean up again after what was given up: one operation or all; how many there were."""
    table, current = tables.operations, now()
    query = table.update().where(table.c.status == "dead")
    if operation_id is not None:
        query = query.where(table.c.id == operation_id)
    fields = {
        "status": "undoing",
        "undo_attempts": 0,
        "not_before": current,
        "lease_until": None,
        "updated_at": current,
    }
    return connection.execute(query.values(**fields)).rowcount
