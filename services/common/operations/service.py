"""The operations of a service: what is requested of them, and the engine that executes them.

A service constructs one `OperationQueue` with its tables. Its store adds operations in its own transactions and wakes a
worker in the same commit; its handlers cancel and replay through it; its worker calls `execute`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from nats.aio.msg import Msg
from proximity.common.v1 import operation_pb2

from services.common.core.clock import now
from services.common.db.database import Database
from services.common.db.pending import UnchangedError
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import add_messages, new_message
from services.common.operations.engine import Engine
from services.common.operations.model import Workflow
from services.common.operations.store import SqlOperationStore
from services.common.operations.tables import OperationTables


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
        add_messages(connection, self._outbox, [new_message(self.subject, job, message_id=message_id)])

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
