"""Operations and their steps in a service's own database.

A claim is a lease with a fencing token: every later change names the token and does nothing when another worker has
claimed since, so a worker that was paused cannot overwrite its successor. Lines of the log and tasks of Proxmox are
added without it: what such a worker has begun, its successor must find.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import Database, UtcDateTime
from services.common.operations.model import Change, ClaimedOperation, S, Step, Workflow
from services.common.operations.queries import OperationLimits, bind_times, find_next
from services.common.operations.tables import OperationTables, align_rows, find_place

LEASE_S = 8.0  # renewed every 2 s: an operation of a dead worker goes on within it
NO_LIMITS = OperationLimits()
# One number for all services: each has a database or schema of its own, and claims are brief.
_CLAIM_LOCK = 0x70726F78


@dataclass(frozen=True)
class LogLine:
    """A line for the log of an operation's subject; level is info, warning or error."""

    level: str
    message: str
    step: str


class WriteLine(Protocol):
    """Writes a line into the log of an operation's subject, within a transaction."""

    def __call__(self, connection: sa.Connection, operation: ClaimedOperation, /, *, line: LogLine) -> None:
        """Write the line with what else the transaction writes."""


class LeaseLostError(Exception):
    """Another worker has taken the operation over; this one must do nothing more."""


class SqlOperationStore:
    """The operations of a service as the engine needs them.

    Args:
        db: the service's database.
        tables: from `define_tables`.
        apply: writes one change of a workflow within a checkpoint's transaction.
        log: writes one line into the subject's log.
        limits: how much may run at once.
    """

    def __init__(
        self,
        db: Database,
        tables: OperationTables,
        *,
        apply: Callable[[sa.Connection, Change], None],
        log: WriteLine,
        limits: OperationLimits = NO_LIMITS,
    ) -> None:
        self._limits = limits
        self._db = db
        self._tables = tables
        self._apply = apply
        self._log = log

    async def claim_next(
        self, worker: str, *, kinds: Collection[str] | None = None
    ) -> ClaimedOperation | None:
        """Claim the operation of one of these kinds that is next; see `queue.find_next`."""
        return await self._db.write(lambda connection: self._claim_next(connection, worker, kinds=kinds))

    async def align(
        self, operation: ClaimedOperation, workflow: Workflow[S], *, state: S
    ) -> tuple[ClaimedOperation, tuple[Step[S], ...]]:
        """Align the recorded steps with those that the workflow has for a state, whichever release began the operation.

        Returns:
            The operation at its place among these steps, and the steps.

        Raises:
            LeaseLostError: another worker has it.
        """
        steps = self._tables.steps
        query = sa.select(steps).where(steps.c.operation_id == operation.id).order_by(steps.c.position)
        rows = await self._db.read(
            lambda connection: [dict(row) for row in connection.execute(query).mappings()]
        )
        recorded = [(str(row["name"]), str(row["status"])) for row in rows]
        chosen = workflow.choose_steps(state, recorded=[name for name, _ in recorded])
        names = [step.name for step in chosen]
        if not rows or [name for name, _ in recorded] == names:
            return operation, chosen
        undoing = operation.status == "undoing"
        place = find_place(recorded, operation.step_index, wanted=names, undoing=undoing)

        def fn(connection: sa.Connection) -> None:
            self._fenced_update(connection, operation, values={"step_index": place, "step_count": len(names)})
            connection.execute(steps.delete().where(steps.c.operation_id == operation.id))
            connection.execute(
                steps.insert(),
                align_rows(rows, place, wanted=[(step.name, step.description) for step in chosen]),
            )

        await self._db.write(fn)
        return replace(operation, step_index=place), chosen

    async def measure_queue(self) -> dict[str, tuple[int, float]]:
        """Return by status the number of unfinished operations, and the age of the oldest in seconds."""
        operations = self._tables.operations
        query = (
            sa.select(operations.c.status, sa.func.count(), sa.func.min(operations.c.created_at))
            .where(operations.c.finished_at.is_(None))
            .group_by(operations.c.status)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        moment = now()
        return {row[0]: (row[1], (moment - row[2]).total_seconds()) for row in rows}

    async def renew(self, operation: ClaimedOperation) -> bool:
        """Renew the lease and return whether a cancellation was requested.

        Raises:
            LeaseLostError: another worker has it.
        """
        return await self._db.write(lambda connection: self._fenced_update(connection, operation, values={}))

    async def update(
        self, operation: ClaimedOperation, values: dict[str, Any], *, changes: Sequence[Change] = ()
    ) -> None:
        """Write columns of the operation and changes, in one transaction.

        Raises:
            LeaseLostError: another worker has it.
        """

        def fn(connection: sa.Connection) -> None:
            self._fenced_update(connection, operation, values=values)
            for change in changes:
                self._apply(connection, change)

        await self._db.write(fn)

    async def update_step(
        self,
        operation: ClaimedOperation,
        position: int,
        *,
        step: dict[str, Any],
        values: dict[str, Any] | None = None,
        changes: Sequence[Change] = (),
        line: LogLine | None = None,
        count_attempt: bool = False,
    ) -> bool:
        """Write columns of a step, of the operation, changes and a line of the log together.

        Returns:
            Whether a cancellation was requested.

        Raises:
            LeaseLostError: another worker has it.
        """
        steps = self._tables.steps

        def fn(connection: sa.Connection) -> bool:
            is_cancelled = self._fenced_update(connection, operation, values=values or {})
            fields: dict[str, Any] = dict(step)
            if count_attempt:
                fields["attempts"] = steps.c.attempts + 1
                fields["started_at"] = sa.func.coalesce(
                    steps.c.started_at, sa.bindparam("t", now(), UtcDateTime)
                )
            if step.get("status") == "undone":  # the step that failed stays the one that failed
                fields["status"] = sa.case((steps.c.status == "failed", "failed"), else_="undone")
            connection.execute(
                steps.update()
                .where(steps.c.operation_id == operation.id, steps.c.position == position)
                .values(**fields)
            )
            for change in changes:
                self._apply(connection, change)
            if line is not None:
                self._log(connection, operation, line=line)
            return is_cancelled

        return await self._db.write(fn)

    async def note_upid(self, operation: ClaimedOperation, position: int, *, upid: str) -> None:
        """Add a Proxmox task to a step's record."""
        operations, steps = self._tables.operations, self._tables.steps
        key = (steps.c.operation_id == operation.id, steps.c.position == position)

        def fn(connection: sa.Connection) -> None:
            known = connection.execute(sa.select(steps.c.upids).where(*key)).scalar() or []
            if upid not in known:
                connection.execute(steps.update().where(*key).values(upids=[*known, upid]))
                own = operations.c.id == operation.id
                connection.execute(operations.update().where(own).values(updated_at=now()))

        await self._db.write(fn)

    async def list_upids(self, operation: ClaimedOperation) -> list[str]:
        """The Proxmox tasks noted by the steps of an operation, in their order."""
        steps = self._tables.steps
        query = (
            sa.select(steps.c.upids).where(steps.c.operation_id == operation.id).order_by(steps.c.position)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).scalars().all())
        return [upid for upids in rows for upid in upids or ()]

    async def write_line(self, operation: ClaimedOperation, line: LogLine) -> None:
        """Write a line into the log of the operation's subject."""
        await self._db.write(lambda connection: self._log(connection, operation, line=line))

    def _claim_next(
        self, connection: sa.Connection, worker: str, *, kinds: Collection[str] | None
    ) -> ClaimedOperation | None:
        operations, current = self._tables.operations, now()
        if connection.dialect.name == "postgresql":  # one claim at a time, so that limits hold exactly
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
        wanted = None if kinds is None else frozenset(kinds)
        query = find_next(operations, wanted, limits=self._limits)
        found = connection.execute(query, bind_times(current)).scalar()
        if found is None:
            return None
        row = connection.execute(
            operations.update()
            .where(operations.c.id == found)
            .values(
                worker=worker,
                lease_until=current + timedelta(seconds=LEASE_S),
                fence=operations.c.fence + 1,
                started_at=sa.func.coalesce(
                    operations.c.started_at, sa.bindparam("began", current, UtcDateTime)
                ),
                updated_at=current,
            )
            .returning(operations)
        ).one()
        return claimed_of_row(row)

    def _fenced_update(
        self, connection: sa.Connection, operation: ClaimedOperation, *, values: dict[str, Any]
    ) -> bool:
        """Write, renew the lease, and return whether a cancellation was requested."""
        operations, current = self._tables.operations, now()
        fields: dict[str, Any] = {
            "lease_until": current + timedelta(seconds=LEASE_S),
            "updated_at": current,
            **values,
        }
        row = connection.execute(
            operations.update()
            .where(
                operations.c.id == operation.id,
                operations.c.fence == operation.fence,
                operations.c.finished_at.is_(None),
            )
            .values(**fields)
            .returning(operations.c.cancel_requested)
        ).one_or_none()
        if row is None:
            raise LeaseLostError(operation.id)
        return bool(row.cancel_requested)


def claimed_of_row(row: sa.Row[Any]) -> ClaimedOperation:
    """A ClaimedOperation of a row of `operations`."""
    created_at: datetime = row.created_at
    return ClaimedOperation(
        id=row.id,
        subject=row.subject,
        kind=row.kind,
        state=row.state,
        status=row.status,
        step_index=row.step_index,
        fence=row.fence,
        error=row.error,
        cancel_requested=row.cancel_requested,
        undo_attempts=row.undo_attempts,
        requested_by=row.requested_by,
        created_at=created_at,
        started_at=row.started_at or created_at,
        attempt=row.attempt,
        traceparent=row.traceparent,
        worker=row.worker,
        waiting_for=row.waiting_for or "",
    )
