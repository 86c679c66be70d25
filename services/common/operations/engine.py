"""Claims operations and runs them: when woken, when one ends, when one has waited long enough, and every 2 seconds.

A worker that dies leaves a lease that runs out within 8 seconds; any worker then goes on at the step that was under way.

A service constructs one `OperationQueue` with its tables. Its store adds operations in its own transactions and wakes a
worker in the same commit; its handlers cancel and replay through it; its worker calls `execute`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from nats.aio.msg import Msg
from proximity.common.v1 import operation_pb2

from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import is_counting, note_queue
from services.common.core.telemetry.tracing import SpanKind, continue_trace, identifying, report_error
from services.common.db.database import Database
from services.common.db.transactions import UnchangedError
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import add_messages, new_message
from services.common.operations.lease import LeasedOperation, ReleasedError
from services.common.operations.model import ClaimedOperation, Workflow
from services.common.operations.run import MOST_TRIES, OperationRun, find_delay
from services.common.operations.store import LeaseLostError, SqlOperationStore
from services.common.operations.tables import OperationTables

log = get_logger()

_SWEEP_S = 2.0  # how late an operation may start whose message was lost
_RETRY_S = 2.0  # before the first retry of a step: most connections are back within it
_MEASURE_S = 5.0  # between two measurements; Prometheus scrapes less often


class Engine:
    """Runs operations of a service in this worker.

    Args:
        store: the operations.
        workflows: by kind; operations of other kinds are left to workers that know them.
        worker: name of this worker, shown with the operations that it executes.
        retry_s: seconds before the first retry of a step; three times as long before the second.
        on_message: is called when an operation ended or paused, since it may have left messages to publish.
    """

    def __init__(
        self,
        store: SqlOperationStore,
        workflows: Mapping[str, Workflow[Any]],
        *,
        worker: str,
        retry_s: float = _RETRY_S,
        on_message: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._worker = worker
        self._retry_s = retry_s
        self._on_message = on_message

    async def run_forever(self, wake: asyncio.Event, *, concurrency: int = 16) -> None:
        """Claim and run operations, at most `concurrency` at once."""
        running: set[asyncio.Task[float | None]] = set()
        measured = asyncio.create_task(self._measure())
        loop = asyncio.get_running_loop()

        def end(task: asyncio.Task[float | None]) -> None:
            running.discard(task)
            wake.set()
            self._on_message()
            if not task.cancelled() and (delay := task.result()) is not None:
                loop.call_later(delay, wake.set)

        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SWEEP_S):  # wait_for of Python 3.11 loses a cancellation
                        await wake.wait()
                wake.clear()
                while len(running) < concurrency and (operation := await self.claim()) is not None:
                    task = asyncio.create_task(self.run(operation))
                    running.add(task)
                    task.add_done_callback(end)
        finally:
            for task in (*running, measured):
                task.cancel()
            await asyncio.gather(*running, measured, return_exceptions=True)

    async def _measure(self) -> None:
        """Record the length and age of the queue as metrics."""
        while is_counting():
            with contextlib.suppress(UnavailableError):
                note_queue(await self._store.measure_queue())
            await asyncio.sleep(_MEASURE_S)

    async def claim(self) -> ClaimedOperation | None:
        """Claim the operation whose turn it is; None when there is none, or the database does not answer."""
        try:
            return await self._store.claim_next(self._worker, kinds=self._workflows)
        except UnavailableError as error:
            log.warning("claim_failed", error=error.message)
            return None

    async def run(self, operation: ClaimedOperation) -> float | None:
        """Run a claimed operation until it ends, is lost, or must wait: then the seconds until it may go on."""
        app_id = str(operation.state.get("app_id") or operation.subject)
        with identifying(operation_id=operation.id, app_id=app_id):
            return await self._run(operation)

    async def _run(self, operation: ClaimedOperation) -> float | None:
        workflow = self._workflows[operation.kind]
        state = workflow.load_state(operation.state)
        try:
            with continue_trace(operation.traceparent, operation.kind, kind=SpanKind.CONSUMER):
                operation, steps = await self._store.align(operation, workflow, state=state)
                leased = LeasedOperation(self._store, workflow, operation=operation, steps=steps, state=state)
                await OperationRun(leased, retry_s=self._retry_s).run()
        except ReleasedError as released:
            return released.delay
        except LeaseLostError:
            log.warning("lease_lost", operation_id=operation.id)
        except UnavailableError as error:  # the database: the lease runs out and another worker goes on
            log.warning("operation_interrupted", operation_id=operation.id, error=error.message)
        except Exception as error:
            log.exception("operation_broken", operation_id=operation.id, error=str(error))
            report_error(error, where=operation.kind, operation_id=operation.id)
            return await self._postpone(operation)
        return None

    async def _postpone(self, operation: ClaimedOperation) -> float | None:
        """Let an operation go that the platform itself broke off; in the end it is left to a person."""
        tries = operation.undo_attempts + 1
        delay = find_delay(tries, self._retry_s)
        values: dict[str, Any] = {
            "undo_attempts": tries,
            "waiting_for": f"another try after an internal error; the worker's log has more under {operation.id}",
            "not_before": now() + timedelta(seconds=delay),
            "lease_until": None,
        }
        if tries >= MOST_TRIES:
            values["status"] = "dead"
        try:
            await self._store.update(operation, values)
        except (UnavailableError, LeaseLostError):
            return None
        return delay


class OperationQueue:
    """Requests to the operations of a service, and their execution.

    Args:
        service: name of the service in the registry; its jobs have the subject `jobs.<service>.v1.run_operation`.
        tables: its tables of operations.
        outbox: its outbox.
    """

    def __init__(self, service: str, *, tables: OperationTables, outbox: sa.Table) -> None:
        self.tables = tables
        self.subject = f"jobs.{service}.v1.run_operation"
        self._service = service
        self._outbox = outbox

    def wake(self, connection: sa.Connection, operation_id: str, *, again: bool = False) -> None:
        """Add the message that wakes a worker to the transaction; `again` for one that was queued before."""
        job = operation_pb2.RunOperation(operation_id=operation_id)
        # The first message has an id of its own, so that a repeated request queues it once.
        message_id = "" if again else f"{self._service}-{operation_id}"
        add_messages(
            connection, self._outbox, messages=[new_message(self.subject, job, message_id=message_id)]
        )

    def request_cancel(self, connection: sa.Connection, operation_id: str) -> bool:
        """Request an unfinished operation to stop; False when it has ended or another service executes it.

        A worker takes up one that waits at once.
        """
        table, current = self.tables.operations, now()
        query = table.update().where(
            table.c.id == operation_id, table.c.finished_at.is_(None), table.c.delegated.is_(False)
        )
        fields = {"cancel_requested": True, "not_before": current, "updated_at": current}
        found = bool(connection.execute(query.values(**fields)).rowcount)
        if found:
            self.wake(connection, operation_id, again=True)
        return found

    async def cancel(self, db: Database, operation_id: str) -> bool:
        """Request an operation to stop, in a transaction of its own; see `request_cancel`."""

        def write(connection: sa.Connection) -> bool:
            if not self.request_cancel(connection, operation_id):
                raise UnchangedError(result=False)
            return True

        return await db.write(write)

    async def replay(self, db: Database, operation_id: str) -> bool:
        """Have a dead operation cleaned up again; False when it is not dead."""

        def write(connection: sa.Connection) -> bool:
            if not self._revive(connection, self.tables.operations.c.id == operation_id):
                raise UnchangedError(result=False)
            self.wake(connection, operation_id, again=True)
            return True

        return await db.write(write)

    async def replay_all(self, db: Database) -> int:
        """Have every dead operation cleaned up again; how many there were."""
        return await db.write(lambda connection: self._revive(connection, sa.true()))

    def _revive(self, connection: sa.Connection, where: sa.ColumnElement[bool]) -> int:
        table, current = self.tables.operations, now()
        fields = {
            "status": "undoing",
            "undo_attempts": 0,
            "not_before": current,
            "lease_until": None,
            "updated_at": current,
        }
        query = table.update().where(table.c.status == "dead", where)
        return connection.execute(query.values(**fields)).rowcount

    async def execute(
        self,
        bus: Bus,
        store: SqlOperationStore,
        *,
        workflows: Mapping[str, Workflow[Any]],
        on_message: Callable[[], None],
        concurrency: int,
    ) -> None:
        """Execute operations in this worker, for ever.

        Args:
            bus: brings the messages that wake it; the database says what there is to do.
            store: of the operations, with the limits of the settings.
            workflows: by kind.
            on_message: called when an operation ended or paused, which may have added messages.
            concurrency: how many operations run at once in this worker.
        """
        wake = asyncio.Event()

        async def note_job(_: Msg) -> None:
            wake.set()

        bus.consume("JOBS", self.subject, durable=f"{self._service}-run", handler=note_job)
        worker = f"{socket.gethostname()}-{os.getpid()}"
        engine = Engine(store, workflows, worker=worker, on_message=on_message)
        await engine.run_forever(wake, concurrency=concurrency)
