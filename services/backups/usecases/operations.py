"""Operations of backups: their standing, cancellation, and replay after they were given up."""

from __future__ import annotations

from services.backups.domain.entities import OperationStanding
from services.backups.domain.interfaces import BackupStore
from services.backups.usecases.context import DeadLetterPage
from services.common.operations.model import Operation


async def list_backup_dead_letters(
    store: BackupStore, *, page: DeadLetterPage
) -> tuple[int, list[Operation]]:
    """Return the total of the operations that were given up, and a page of them, newest first.

    Raises:
        InvalidError: there is no operation that the page begins behind.
    """
    return await store.list_dead_letters(offset=page.offset, limit=page.size, after=page.after)


async def replay_backup_operation(store: BackupStore, operation_id: str) -> Operation:
    """Resume an operation that was given up.

    Raises:
        OperationNotFoundError: there is none.
        OperationNotDeadError: it was not given up.
    """
    return await store.replay_operation(operation_id)


async def get_holding_operation(store: BackupStore, operation_id: str) -> OperationStanding:
    """Return the standing of an operation that locks an app."""
    return await store.get_standing(operation_id)


async def cancel_holding_operation(store: BackupStore, operation_id: str) -> OperationStanding:
    """Request the cancellation of an operation that locks an app, and return its standing."""
    await store.request_cancel(operation_id)
    return await store.get_standing(operation_id)
