"""One function per RPC that decides something."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from services.apps.domain.compose import is_without_values, mark_without_values, republish
from services.apps.domain.deployment import NewApp, Plan, build_app, build_fallback, plan_app
from services.apps.domain.entities import ACTIONS, AddLog, AddUpgrade, App, NewAppOperation
from services.apps.domain.errors import AppBusyError, AppStateError, NoFreePortError
from services.apps.domain.interfaces import AppStore, PlanSteps
from services.apps.domain.marks import require_managed
from services.apps.domain.neighbours import Backups, Catalog, Users
from services.apps.domain.quotas import Quotas, Unlimited
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Wanted
from services.common.core.clock import now
from services.common.core.errors import (
    DomainError,
    InvalidError,
    NotFoundError,
    PreconditionError,
    invalid_field,
)
from services.common.operations.view import Operation

_PORT_ATTEMPTS = 20
FINAL = frozenset({"delete_app", "destroy_orphan", "destroy_duplicate"})  # kinds without a way back
_FILLING = frozenset({"deploy_app", "clone_app", "restore_beside"})  # kinds that write a whole container
_MOVING = frozenset({"migrate_app", "upgrade_app", "rollback_app"})


@dataclass(frozen=True)
class AppDependencies:
    """What use cases work with; `plan` names the steps of an operation of a kind with a state."""

    store: AppStore
    containers: Containers
    catalog: Catalog
    plan: PlanSteps
    users: Users
    quotas: Quotas = field(default_factory=Unlimited)


@dataclass(frozen=True)
class Requester:
    """By whom and under which id an operation is asked."""

    operation_id: str
    user_id: int | None


async def deploy_app(world: AppDependencies, new: NewApp, asked: Requester) -> App:
    """Record a new app and its deployment; asked twice with the same id, the first one is answered.

    Raises:
        QuotaExceededError: the owner's apps would take too much together.
    """
    try:
        return await world.store.get_app(new.id, owner=new.owner_id)
    except NotFoundError:
        plan = await plan_app(new, world.catalog, world.containers)
    try:
        return await _record_app(world, plan, asked)
    except DomainError:
        await _release_address(world, plan)
        raise


async def _release_address(world: AppDependencies, plan: Plan) -> None:
    """Give back the address of an app that was refused; what cannot be given back now, inventory finds within hours."""
    if not plan.new.network_cidr:
        return
    with contextlib.suppress(DomainError):
        try:
            await world.store.get_app(
                plan.new.id
            )  # a repetition that is refused must not take the first one's
        except NotFoundError:
            await world.containers.release_vmid(plan.placement.host_id, plan.new.id)


async def _record_app(world: AppDependencies, plan: Plan, asked: Requester) -> App:
    new = plan.new
    quota = await world.quotas.get_quota(new.owner_id)
    for _ in range(_PORT_ATTEMPTS):
        port = await world.store.choose_port(plan.placement.host_id)
        app = await build_app(plan, world.catalog, public_port=port)
        fallback = await build_fallback(plan, world.catalog, app)
        kept = () if fallback is None else (AddUpgrade(dataclasses.replace(fallback, id=asked.operation_id)),)
        begin = begin_new(world, app, "deploy_app", asked, kept_id=asked.operation_id if kept else "")
        reason = str(app.rendering.get("runtime_reason", ""))
        changes = (*kept, *((AddLog(app.id, reason, level="warning"),) if reason else ()))
        if await world.store.add_app(app, dataclasses.replace(begin, quota=quota), changes=changes):
            return app
    raise NoFreePortError(f"no port of host {plan.placement.host_id} could be taken", retry_after=1)


async def perform_action(
    world: AppDependencies, app: App, action: str, asked: Requester, **state: Any
) -> str | None:
    """Queue an action and say what is being done; None when there is nothing to do.

    `state` is further state that the operation begins with.

    Raises:
        AppBusyError: another operation is under way.
        AppStateError: the app has no container.
        ContainerUnmanagedError: its container does not carry its mark.
    """
    status, kind, word = ACTIONS[action]
    if (action, app.status) in {("start", "running"), ("stop", "stopped")}:
        return None
    if app.status == status == "removing":
        return None
    require_stable(app)
    if app.vmid is None and action != "delete":
        raise AppStateError(f"{app.id} has no container; delete it and deploy it again")
    if action != "delete":
        require_managed(app)
    message = f"{word} {app.hostname}"
    await world.store.begin(
        app.id, begin_on(world, app, kind, asked, status=status, **state), message=message
    )
    return message


async def clone_app(
    world: AppDependencies, source: App, asked: Requester, *, hostname: str, archive: str = ""
) -> App:
    """Record a copy of an app, from its container or from an archive, and its operation.

    Raises:
        AppBusyError: an operation on the source is under way.
        AppStateError: the source has no container.
        QuotaExceededError: the owner's apps would take too much together.
    """
    if not archive:
        require_stable(source)
    if source.vmid is None:
        raise AppStateError(f"{source.id} has no container to copy")
    if not archive:
        require_managed(source)
    kind = "restore_beside" if archive else "clone_app"
    quota = await world.quotas.get_quota(source.owner_id)
    for _ in range(_PORT_ATTEMPTS):
        port = await world.store.choose_port(source.host_id)
        app = _copy_of(source, asked, hostname=hostname, port=port)
        state = {
            "source_app_id": source.id,
            "source_vmid": source.vmid,
            "source_node": source.node,
            "archive": archive,
        }
        begin = dataclasses.replace(begin_new(world, app, kind, asked, **state), quota=quota)
        if await world.store.add_app(app, begin):
            return app
    raise NoFreePortError(f"no port of host {source.host_id} could be taken", retry_after=1)


async def migrate_app(world: AppDependencies, app: App, asked: Requester, *, node: str) -> None:
    """Move an app to another node.

    Raises:
        AppStateError: it is there already, or has no container.
        InvalidError: its host has no such node, or the node is down.
    """
    require_stable(app)
    if app.vmid is None:
        raise AppStateError(f"{app.id} has no container")
    require_managed(app)
    if app.node == node:
        raise AppStateError(f"{app.id} is on {node} already")
    wanted = Wanted(host_id=app.host_id, node=node)
    try:
        await world.containers.place_container(wanted)
    except (InvalidError, PreconditionError) as error:
        raise invalid_field("target_node", error.message.removeprefix("node: ")) from error
    begin = begin_on(world, app, "migrate_app", asked, status="updating", target_node=node)
    await world.store.begin(app.id, begin, message=f"Moving {app.hostname} to {node}")


async def cancel_operation(store: AppStore, backups: Backups, operation: Operation) -> None:
    """Ask an operation to stop, here or where it is carried out.

    Raises:
        AppBusyError: it has ended, or there is no way back from it.
    """
    if operation.kind in FINAL:
        raise AppBusyError(f"operation {operation.id} ({operation.kind}) cannot be cancelled")
    if operation.delegated and operation.finished_at is None:
        asked = await backups.cancel(operation.id)
    else:
        asked = await store.request_cancel(operation.id)
    if not asked:
        raise AppBusyError(f"operation {operation.id} has ended or cannot be cancelled")


def require_stable(app: App) -> None:
    """Raise AppBusyError while an operation is under way."""
    if not app.is_stable:
        raise AppBusyError(f"{app.id} is {app.status}; wait until that has ended", retry_after=2)


def begin_on(
    world: AppDependencies, app: App, kind: str, asked: Requester, *, status: str, **state: Any
) -> NewAppOperation:
    """An operation on an app that has a container."""
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
        id=asked.operation_id,
        kind=kind,
        status=status,
        state=base,
        steps=world.plan(kind, base),
        requested_by=asked.user_id,
        node=_find_burden(app, kind),
        storage=f"{app.host_id}/{app.config.get('storage', '')}" if kind in _FILLING else "",
        seen=app.updated_at,
    )


def _find_burden(app: App, kind: str) -> str:
    """What counts of the app's node: what is quick does not wait until others have copied whole containers."""
    node = f"{app.host_id}/{app.node}"
    return node if kind in _FILLING | _MOVING else f"{node} quick"


def begin_new(world: AppDependencies, app: App, kind: str, asked: Requester, **state: Any) -> NewAppOperation:
    """The operation that an app comes to be by."""
    return begin_on(world, app, kind, asked, status=app.status, **state)


def _copy_of(source: App, asked: Requester, *, hostname: str, port: int) -> App:
    rendering = dict(source.rendering)
    if source.published and source.public_port is not None and rendering.get("compose"):
        rendering["compose"] = republish(str(rendering["compose"]), source.public_port, port)
        rendering = mark_without_values(rendering) if is_without_values(source.rendering) else rendering
    current = now()
    return dataclasses.replace(
        source,
        id=f"{source.catalog_id}-{asked.operation_id[:8]}",
        name=hostname,
        hostname=hostname,
        status="cloning",
        vmid=None,
        public_port=port,
        address="",
        rendering=rendering,
        adopted=False,
        runtime="oci" if source.adopted else source.runtime,
        error="",
        conditions=(),
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )
