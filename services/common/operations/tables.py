"""The two tables of operations in a service's own database, and how rows come into them.

Operations that another release began are aligned: their steps are matched by name with those of this one. A position alone
would name another step where a release has added one, and a step would be left out or run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.core.telemetry.tracing import current_traceparent
from services.common.db.database import UtcDateTime, insert_ignore
from services.common.operations.model import DelegatedStep, NewOperation


@dataclass(frozen=True)
class OperationTables:
    """The two tables."""

    operations: sa.Table
    steps: sa.Table


def define_tables(metadata: sa.MetaData) -> OperationTables:
    """Define `operations` and `operation_steps` in a service's metadata.

    Every change of an operation or one of its steps sets `updated_at`, by which answers about it are cached.
    """
    return OperationTables(_define_operations(metadata), _define_steps(metadata))


def _define_operations(metadata: sa.MetaData) -> sa.Table:
    # New columns have a server default: the release before writes rows without them during an upgrade.
    operations = sa.Table(
        "operations",
        metadata,
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("step_index", sa.Integer, nullable=False),
        sa.Column("step_count", sa.Integer, nullable=False),
        sa.Column("progress", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("undo_attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("waiting_for", sa.Text, nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("not_before", UtcDateTime, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        # Column names of the first release; the attribute has the name that is used today.
        sa.Column("held", sa.Boolean, key="delegated", nullable=False),
        sa.Column("node", sa.String(80), nullable=False, server_default=""),
        sa.Column("storage", sa.String(120), nullable=False, server_default=""),
        sa.Column("requested_by", sa.Integer),
        sa.Column("trace_id", sa.String(64), key="traceparent", nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False, onupdate=now),
        sa.Column("finished_at", UtcDateTime),
    )
    # The database itself refuses a second unfinished operation of a subject, whatever replicas do at once.
    # Both indexes are partial: they stay as small as the queue, however long the history is.
    unfinished = operations.c.finished_at.is_(None)
    sa.Index(
        "operations_one_unfinished",
        operations.c.subject,
        unique=True,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    sa.Index(
        "operations_runnable", operations.c.not_before, sqlite_where=unfinished, postgresql_where=unfinished
    )
    sa.Index("operations_of_subject", operations.c.subject, operations.c.created_at)
    sa.Index("operations_by_age", operations.c.created_at)
    return operations


def _define_steps(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "operation_steps",
        metadata,
        sa.Column("operation_id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("upids", sa.JSON, nullable=False),
    )


def add_operation(connection: sa.Connection, tables: OperationTables, *, new: NewOperation) -> None:
    """Record an operation in the transaction of `connection`.

    Raises:
        sqlalchemy.exc.IntegrityError: the subject has an unfinished operation, or the id is known.
    """
    current = now()
    connection.execute(
        tables.operations.insert().values(
            id=new.id,
            subject=new.subject,
            kind=new.kind,
            status="running" if new.delegated else "queued",
            state=new.state,
            step_index=0,
            step_count=len(new.steps),
            progress=0,
            attempt=0,
            undo_attempts=0,
            error="",
            waiting_for="",
            worker="",
            fence=0,
            not_before=new.not_before or current,
            cancel_requested=False,
            delegated=new.delegated,
            node=new.node,
            storage=new.storage,
            requested_by=new.requested_by,
            # The trace of the request goes on in the worker.
            traceparent=new.traceparent or current_traceparent(),
            created_at=current,
            updated_at=current,
        )
    )
    if new.steps:
        connection.execute(
            tables.steps.insert(),
            [
                {
                    "operation_id": new.id,
                    "position": position,
                    "name": name,
                    "description": description,
                    "status": "pending",
                    "attempts": 0,
                    "message": "",
                    "upids": [],
                }
                for position, (name, description) in enumerate(new.steps)
            ],
        )


def note_delegated_step(
    connection: sa.Connection, tables: OperationTables, *, operation_id: str, step: DelegatedStep
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
    connection: sa.Connection, tables: OperationTables, *, operation_id: str, status: str
) -> None:
    """End the step in progress as its operation ended: succeeded or not."""
    steps = tables.steps
    query = steps.update().where(steps.c.operation_id == operation_id, steps.c.finished_at.is_(None))
    ended = "done" if status == "succeeded" else "failed"
    connection.execute(query.values(status=ended, finished_at=now()))


_PENDING = "pending"


def find_place(
    recorded: Sequence[tuple[str, str]], index: int, *, wanted: Sequence[str], undoing: bool
) -> int:
    """Find the position at which an operation goes on among the steps `wanted`.

    Args:
        recorded: name and status of each step, as the release wrote them down that began the operation.
        index: where it is among those; their number when all are done.
        wanted: the names of this release's steps.
        undoing: it is taken back, from there to the first.
    """
    names = [name for name, _ in recorded]
    if undoing:
        return next((wanted.index(name) for name in reversed(names[: index + 1]) if name in wanted), 0)
    following = next((wanted.index(name) for name in names[index:] if name in wanted), None)
    has_begun = index < len(recorded) and recorded[index][1] != _PENDING
    if has_begun and following is not None:
        return following  # what is new before a step under way comes too late
    return max((wanted.index(name) + 1 for name in names[:index] if name in wanted), default=0)


def align_rows(
    rows: Sequence[dict[str, Any]], place: int, *, wanted: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The rows of `operation_steps` for the steps `wanted`, of which those before `place` are over."""
    known = {row["name"]: row for row in rows}
    key = {"operation_id": rows[0]["operation_id"]}
    return [
        {**(known.get(name) or _make_row(is_over=position < place)), **key, "position": position}
        | {"name": name, "description": description}
        for position, (name, description) in enumerate(wanted)
    ]


def _make_row(*, is_over: bool) -> dict[str, Any]:
    return {
        "status": "done" if is_over else _PENDING,
        "attempts": 0,
        "started_at": None,
        "finished_at": None,
        "message": "left out: the release that began the operation had no such step" if is_over else "",
        "upids": [],
    }
