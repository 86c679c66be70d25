"""Use cases of operations: list, read, cancel and replay them."""

from __future__ import annotations

from collections.abc import Sequence

from services.apps.domain.interfaces import AppStore, OperationReads
from services.apps.domain.stamps import OperationFilter, OperationPage
from services.apps.usecases.dependencies import AppDependencies
from services.clients.apps.errors import AppBusyError
from services.common.operations.model import Operation

FINAL = frozenset({"delete_app", "destroy_orphan", "destroy_duplicate"})  # kinds without a way back


async def list_operations(
    store: AppStore, app_id: str, *, owner_filter: int | None, page: int, per_page: int, after: str = ""
) -> OperationPage:
    """Return which operations of an app there are to show; administrators also see those of an app that is gone.

    Raises:
        AppNotFoundError: there is no such app and there was none, or it is not the owner's.
        InvalidError: there is no operation `after` that the page begins behind.
    """
    stamps, total = await store.list_operation_stamps(
        app_id, owner=owner_filter, page=page, per_page=per_page
    )
    if after:
        wanted = OperationFilter(owner_id=owner_filter, app_id=app_id)
        found, total = await store.list_all_operations(wanted, page=page, per_page=per_page, after=after)
        return OperationPage(
            app_id=app_id, page=page, per_page=per_page, stamps=[], total=total, operations=found
        )
    return OperationPage(app_id=app_id, page=page, per_page=per_page, stamps=stamps, total=total)


async def list_all_operations(
    store: OperationReads, wanted: OperationFilter, *, page: int, per_page: int, after: str = ""
) -> tuple[Sequence[Operation], int]:
    """Return one page of the operations that a filter selects, newest first, and how many there are.

    Raises:
        InvalidError: there is no operation `after` that the page begins behind.
    """
    return await store.list_all_operations(wanted, page=page, per_page=per_page, after=after)


async def get_operation(
    dependencies: AppDependencies, app_id: str, *, operation_id: str, owner_filter: int | None
) -> Operation:
    """Return an operation of an app; administrators also see those of an app that is gone.

    Raises:
        AppNotFoundError: there is no such app and there was none, or it is not the owner's.
        OperationNotFoundError: the app has no such operation.
    """
    await list_operations(dependencies.store, app_id, owner_filter=owner_filter, page=1, per_page=1)
    return await dependencies.store.get_operation(operation_id, app_id=app_id)


async def cancel_operation(
    dependencies: AppDependencies, app_id: str, *, operation_id: str, owner_filter: int | None
) -> Operation:
    """Request that an operation stops, here or at the service that it is delegated to, and return it as it is then.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        OperationNotFoundError: the app has no such operation.
        AppBusyError: it has ended, or there is no way back from it.
    """
    store = dependencies.store
    app = await store.get_app(app_id, owner=owner_filter)
    operation = await store.get_operation(operation_id, app_id=app.id)
    if operation.kind in FINAL:
        raise AppBusyError(f"operation {operation.id} ({operation.kind}) cannot be cancelled")
    if operation.delegated and operation.finished_at is None:
        standing = await dependencies.backups.cancel_holding_operation(operation.id)
        is_requested = standing == "unfinished"
    else:
        is_requested = await store.request_cancel(operation.id)
    if not is_requested:
        raise AppBusyError(f"operation {operation.id} has ended or cannot be cancelled")
    return await store.get_operation(operation.id)


async def list_dead_letters(
    store: OperationReads, *, page: int, per_page: int, after: str = ""
) -> tuple[Sequence[Operation], int]:
    """Return one page of the operations that were given up, of all apps, and how many there are.

    Raises:
        InvalidError: there is no operation `after` that the page begins behind.
    """
    if after:
        wanted = OperationFilter(status="dead")
        return await store.list_all_operations(wanted, page=page, per_page=per_page, after=after)
    return await store.list_operations(None, page=page, per_page=per_page, status="dead")


async def replay_operation(dependencies: AppDependencies, operation_id: str) -> Operation:
    """Queue an operation that was given up again, and return it.

    Raises:
        OperationNotFoundError: there is no such operation.
        AppBusyError: it was not given up.
    """
    operation = await dependencies.store.get_operation(operation_id)
    if not await dependencies.store.replay(operation.id):
        raise AppBusyError(f"operation {operation.id} is {operation.status} and was not given up")
    return await dependencies.store.get_operation(operation.id)
