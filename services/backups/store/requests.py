"""What people ask of operations of backups besides beginning them."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from services.backups.domain.errors import OperationNotDeadError, OperationNotFoundError
from services.backups.store.changes import wake_message
from services.backups.store.reads import BackupReads
from services.backups.tables import operations, outbox, tables
from services.common.db.database import Database
from services.common.db.pending import UnchangedError
from services.common.messaging.outbox import add_messages
from services.common.operations.commands import replay, request_cancel
from services.common.operations.convert import read_operations
from services.common.operations.view import Operation


class BackupRequests(BackupReads):
    """Cancelling and taking up again.

    Args:
        db: the service's database.
        on_message: called after a commit that left messages in the outbox.
    """

    def __init__(self, db: Database, on_message: Callable[[], None]) -> None:
        super().__init__(db)
        self._on_message = on_message

    async def replay_operation(self, operation_id: str) -> Operation:
        """See `BackupStore.replay_operation`."""

        def write(connection: sa.Connection) -> Operation:
            again = bool(replay(connection, tables, operation_id))
            query = sa.select(operations).where(operations.c.id == operation_id)
            found = read_operations(connection, tables, query)
            if not found:
                raise OperationNotFoundError(f"there is no operation {operation_id}")
            if not again:
                raise OperationNotDeadError(f"operation {operation_id} is {found[0].status}, not given up")
            add_messages(connection, outbox, [wake_message(operation_id, again=True)])
            return found[0]

        operation = await self._db.write(write)
        self._on_message()
        return operation

    async def request_cancel(self, operation_id: str) -> bool:
        """See `BackupStore.request_cancel`."""

        def write(connection: sa.Connection) -> bool:
            if not request_cancel(connection, tables, operation_id):
                raise UnchangedError(result=False)
            add_messages(connection, outbox, [wake_message(operation_id, again=True)])
            return True

        found = await self._db.write(write)
        self._on_message()
        return found

    async def revive_operations(self) -> int:
        """See `BackupStore.revive_operations`."""
        return await self._db.write(lambda connection: replay(connection, tables))
