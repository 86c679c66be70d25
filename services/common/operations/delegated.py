"""Steps of an operation that another service carries out, as it reports them."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import insert_ignore
from services.common.operations.model import DelegatedStep
from services.common.operations.tables import OperationTables


def note_delegated_step(
    connection: sa.Connection, tables: OperationTables, operation_id: str, *, step: DelegatedStep
) -> None:
    """Record that an operation is at a step."""
    steps, current = tables.steps, now()
    key = (steps.c.operation_id == operation_id, steps.c.position == step.position)
    row = {
        "operation_id": operation_id,
        "position": step.position,
        "name": step.name,
        "description": step.description,
        "status": "running",
        "attempts": step.attempts,
        "started_at": current,
        "message": "",
        "upids": [],
    }
    # Reports are repeated and may arrive after those of later steps.
    connection.execute(insert_ignore(steps, connection).values(**row))
    upids = list(connection.execute(sa.select(steps.c.upids).where(*key)).scalar() or [])
    if step.upid and step.upid not in upids:
        upids.append(step.upid)
    connection.execute(
        steps.update().where(*key).values(status="running", attempts=step.attempts, upids=upids)
    )
    # A report that was lost must not leave its step running for ever.
    before = (steps.c.operation_id == operation_id, steps.c.position < step.position)
    connection.execute(
        steps.update()
        .where(*before, steps.c.finished_at.is_(None))
        .values(status="done", finished_at=current)
    )


def end_delegated_steps(
    connection: sa.Connection, tables: OperationTables, operation_id: str, *, status: str
) -> None:
    """End the step in progress as its operation ended: succeeded or not."""
    steps = tables.steps
    query = steps.update().where(steps.c.operation_id == operation_id, steps.c.finished_at.is_(None))
    ended = "done" if status == "succeeded" else "failed"
    connection.execute(query.values(status=ended, finished_at=now()))
