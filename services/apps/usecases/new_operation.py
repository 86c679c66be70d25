"""New operations: what is recorded of one when it begins, whatever its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from services.apps.domain.app_checks import require_container, require_stable
from services.apps.domain.entities import ACTIONS, STABLE, App, NewAppOperation
from services.apps.domain.interfaces import AppStore
from services.apps.domain.marks import require_managed
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.clients.apps.errors import AppBusyError

T = TypeVar("T")
_ATTEMPTS = 3  # an app is changed by notes once or twice a minute

# Kinds that write a whole container: they count for their storage, of which a few copies take all throughput.
_FILLING = frozenset({"deploy_app", "clone_app", "restore_beside", "import_exported_app"})
_MOVING = frozenset({"migrate_app", "upgrade_app", "rollback_app"})  # kinds that read or write most of one


@dataclass(frozen=True)
class Accepted:
    """Answer to a request for an operation on an app; `operation_id` is empty where there is nothing to do."""

    app: App
    message: str
    operation_id: str = ""


def build_operation(
    dependencies: AppDependencies, app: App, *, kind: str, requester: Requester, status: str, **state: Any
) -> NewAppOperation:
    """Build an operation on an app: `status` is the app's while it runs, `state` what its steps begin with."""
    base = {
        "app_id": app.id,
        "host_id": app.host_id,
        "node": app.node,
        "vmid": app.vmid,
        "previous": app.status,
        "was_running": app.status == "running",
        "address": app.address,
        "runtime": app.runtime,
        "has_port": app.port is not None,
        **state,
    }
    return NewAppOperation(
        id=requester.operation_id,
        kind=kind,
        status=status,
        state=base,
        steps=dependencies.plan(kind, base),
        requested_by=requester.user_id,
        node=_name_node_load(app, kind),
        storage=f"{app.host_id}/{app.config.storage}" if kind in _FILLING else "",
        seen=app.updated_at,
    )


def build_creation(
    dependencies: AppDependencies, app: App, *, kind: str, requester: Requester, **state: Any
) -> NewAppOperation:
    """Build the operation that makes a new app."""
    return build_operation(dependencies, app, kind=kind, requester=requester, status=app.status, **state)


def _name_node_load(app: App, kind: str) -> str:
    """Name the queue of the app's node: short operations do not wait until others have copied whole containers."""
    node = f"{app.host_id}/{app.node}"
    return node if kind in _FILLING | _MOVING else f"{node} quick"


async def begin_action(
    dependencies: AppDependencies, app: App, *, action: str, requester: Requester, **state: Any
) -> Accepted:
    """Begin an action of `ACTIONS` on an app, with `state` as further state of the operation.

    Raises:
        AppBusyError: another operation is under way.
        AppStateError: the app has no container.
        ContainerUnmanagedError: its container does not carry its mark.
    """

    async def begin(current: App) -> Accepted:
        return await _begin_action(dependencies, current, action=action, requester=requester, state=state)

    return await begin_on_current(dependencies.store, app, begin=begin)


async def begin_on_current(store: AppStore, app: App, *, begin: Callable[[App], Awaitable[T]]) -> T:
    """Begin an operation on an app as it was read; where it was changed since, again on the app as it is now.

    A backup that has just ended is noted in its app: a client that goes on at once is not refused for that.

    Raises:
        AppBusyError: another operation is under way, or the app was changed each time.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await begin(app)
        except AppBusyError:
            current = await store.get_app(app.id)
            if current.status not in STABLE or current.updated_at == app.updated_at:
                raise
            app = current
    return await begin(app)


async def _begin_action(
    dependencies: AppDependencies, app: App, *, action: str, requester: Requester, state: Mapping[str, Any]
) -> Accepted:
    status, kind, word = ACTIONS[action]
    is_done = (action, app.status) in {("start", "running"), ("stop", "stopped")}
    if is_done or app.status == status == "removing":
        return Accepted(app, f"{app.hostname} is {app.status} already")
    require_stable(app)
    if action != "delete":
        require_container(app)
        require_managed(app)
    begin = build_operation(dependencies, app, kind=kind, requester=requester, status=status, **state)
    message = f"{word} {app.hostname}"
    await dependencies.store.begin(app.id, begin, message=message)
    return Accepted(app, message, begin.id)
