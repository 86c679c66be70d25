"""Operations with their steps: read from the database, rendered for the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from proximity.common.v1 import operation_pb2

from services.common.core.telemetry.tracing import trace_id_of
from services.common.core.timestamps import render_time
from services.common.operations.tables import OperationTables
from services.common.operations.view import NOT_COLUMNS, Operation, OperationStep

_TURN = "its turn among the operations of its node, storage and user"


def read_operations(
    connection: sa.Connection, tables: OperationTables, query: sa.Select[Any]
) -> list[Operation]:
    """The operations that a query finds, with their steps."""
    rows = connection.execute(query).all()
    found: dict[str, list[OperationStep]] = {row.id: [] for row in rows}
    steps = tables.steps
    if found:
        wanted = sa.select(steps).where(steps.c.operation_id.in_(found)).order_by(steps.c.position)
        for row in connection.execute(wanted):
            found[row.operation_id].append(_step(row))
    return [_operation(row, found[row.id]) for row in rows]


def _step(row: sa.Row[Any]) -> OperationStep:
    names = OperationStep.__dataclass_fields__.keys() - {"upids"}
    return OperationStep(upids=tuple(row.upids or ()), **{name: getattr(row, name) for name in names})


def _operation(row: sa.Row[Any], steps: Sequence[OperationStep]) -> Operation:
    names = Operation.__dataclass_fields__.keys() - NOT_COLUMNS
    return Operation(steps=tuple(steps), **{name: getattr(row, name) for name in names})


def render_operation(operation: Operation) -> operation_pb2.Operation:
    """An operation with its steps; one that was given up shows as failed."""
    step = operation.step
    message = operation_pb2.Operation(
        id=operation.id,
        app_id=operation.subject,
        kind=operation.kind,
        status="failed" if operation.status == "dead" else operation.status,
        progress=operation.progress,
        step=step.name if step else None,
        step_description=step.description if step else None,
        step_index=operation.step_index,
        step_count=operation.step_count,
        attempt=operation.attempt,
        error=operation.error or None,
        waiting_for=operation.waiting_for or (_TURN if operation.status == "queued" else None),
        worker=operation.worker or None,
        trace_id=trace_id_of(operation.traceparent) or None,
        cancel_requested=operation.cancel_requested,
        requested_by=operation.requested_by,
        created_at=render_time(operation.created_at),
        updated_at=render_time(operation.updated_at),
        started_at=render_time(operation.started_at),
        finished_at=render_time(operation.finished_at),
    )
    for item in operation.steps:
        message.steps.add(
            name=item.name,
            description=item.description,
            status=item.status,
            attempts=item.attempts,
            message=item.message or None,
            upids=item.upids,
            started_at=render_time(item.started_at),
            finished_at=render_time(item.finished_at),
        )
    return message
