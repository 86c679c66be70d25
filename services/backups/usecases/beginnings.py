"""The beginning of backups and restores in which apps has a part: a request locks the app, then lets a worker begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.backups.domain.interfaces import BackupStore
from services.backups.usecases.context import BackupDependencies
from services.clients.apps.values import AppHold
from services.common.core.errors import DomainError, UnavailableError
from services.common.identity.tokens import User

T = TypeVar("T")


async def lock_and_start(
    dependencies: BackupDependencies,
    operation_id: str,
    *,
    app_id: str,
    kind: str,
    user: User | None,
    made_by: str = "",
) -> None:
    """Lock an app for an operation that this request has recorded, on behalf of `user` or a schedule, and let a worker begin it.

    Raises:
        UnavailableError: apps does not answer and may have locked the app: a worker goes on or unlocks it.
        DomainError: apps refuses; the operation is withdrawn.
    """
    if not await dependencies.store.is_waiting(operation_id):
        return  # a repeated request whose work is under way or done

    async def lock() -> AppHold:
        return await dependencies.apps.begin_operation(
            app_id, operation_id, kind=kind, made_by=made_by, user=user
        )

    await begin_in_apps(dependencies.store, operation_id, begin=lock)


async def begin_in_apps(store: BackupStore, operation_id: str, *, begin: Callable[[], Awaitable[T]]) -> T:
    """Have apps begin what is recorded, then let a worker go on with it, and return the answer of apps.

    Raises:
        UnavailableError: apps does not answer and may have begun: a worker finds out.
        DomainError: apps refuses; the operation is withdrawn.
    """
    try:
        answer = await begin()
    except UnavailableError:
        # At once: until it belongs to the workers, a repetition of the request is refused.
        await store.start_operation(operation_id)
        raise
    except DomainError:
        await store.withdraw_operation(operation_id)
        raise
    await store.start_operation(operation_id)
    return answer
