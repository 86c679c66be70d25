"""Cancellation and replay of operations."""

from __future__ import annotations

from collections.abc import Callable

from services.backups.domain.errors import OperationNotDeadError
from services.backups.store.changes import operation_queue
from services.backups.store.reads import BackupReads
from services.common.db.database import Database
from services.common.operations.model import Operation, OperationNotFoundError


class BackupRequests(BackupReads):
    """Requests that change operations of backups.

    Args:
        db: the service's database.
        on_message: called after a commit that left messages in the outbox.
    """

    def __init__(self, db: Database, on_message: Callable[[], None]) -> None:
        super().__init__(db)
        self._on_message = on_message

    async def replay_operation(self, operation_id: str) -> Operation:
        """See `BackupStore.replay_operation`."""
        # Replayed first and read afterwards: in between another request may have replayed it.
        is_replayed = await operation_queue.replay(self._db, operation_id)
        found, _ = await self._operations.list_operations({"id": operation_id}, limit=1)
        if not found:
            raise OperationNotFoundError(f"there is no operation {operation_id}")
        if not is_replayed:
            raise OperationNotDeadError(f"operation {operation_id} is {found[0].status}, not dead")
        self._on_message()
        return found[0]

    async def request_cancel(self, operation_id: str) -> bool:
        """See `BackupStore.request_cancel`."""
        found = await operation_queue.cancel(self._db, operation_id)
        self._on_message()
        return found

    async def revive_operations(self) -> int:
        """See `BackupStore.revive_operations`."""
        return await operation_queue.replay_all(self._db)
