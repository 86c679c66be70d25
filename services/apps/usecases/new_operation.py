"""New operations: what is recorded of one when it begins, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.apps.domain.app_checks import require_container, require_stable
from services.apps.domain.entities import ACTIONS, App, NewAppOperation
from services.apps.domain.marks import require_managed
from services.apps.usecases.dependencies import AppDependencies, Requester

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
