"""DeployApp: record a new app and the operation that makes its container."""

from __future__ import annotations

import contextlib
import dataclasses

from services.apps.domain.changes import AddLog, AddUpgrade
from services.apps.domain.deployment import NewApp, Plan, build_app, build_fallback, plan_app
from services.apps.domain.entities import App
from services.apps.domain.errors import NoFreePortError
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import build_creation
from services.common.core.errors import DomainError, NotFoundError

PORT_ATTEMPTS = 20  # deployments at once choose the same port now and then; a host has thousands


async def deploy_app(dependencies: AppDependencies, new: NewApp, *, requester: Requester) -> App:
    """Record a new app and its deployment; a repetition with the same id returns the first one.

    Raises:
        InvalidError: the catalog does not know the item, or an input or a setting is wrong.
        NotAvailableError: the place cannot run it.
        QuotaExceededError: the owner's apps would take too much together.
        HostnameTakenError: another app has the hostname.
    """
    try:
        # The id comes from the idempotency key: a repeated request must not make a second app.
        return await dependencies.store.get_app(new.id, owner=new.owner_id)
    except NotFoundError:
        plan = await plan_app(new, dependencies.catalog, containers=dependencies.containers)
    try:
        return await _record_app(dependencies, plan, requester=requester)
    except DomainError:
        await _release_address(dependencies, plan)
        raise


async def _release_address(dependencies: AppDependencies, plan: Plan) -> None:
    """Release the address of an app that was refused; inventory releases within hours what cannot be released now."""
    if not plan.new.network_cidr:
        return
    with contextlib.suppress(DomainError):
        try:  # the address of an app that is there stays: a repetition may be refused where the first was accepted
            await dependencies.store.get_app(plan.new.id)
        except NotFoundError:
            await dependencies.containers.release_vmid(plan.placement.host_id, plan.new.id)


async def _record_app(dependencies: AppDependencies, plan: Plan, *, requester: Requester) -> App:
    catalog, store = dependencies.catalog, dependencies.store
    quota = await dependencies.quotas.get_quota(plan.new.owner_id)
    operation_id = requester.operation_id
    # The port is chosen before the transaction that takes it: a faster one makes us choose again.
    for _ in range(PORT_ATTEMPTS):
        port = await store.choose_port(plan.placement.host_id)
        app = await build_app(plan, catalog, public_port=port)
        fallback = await build_fallback(plan, catalog, app=app)
        stored = () if fallback is None else (AddUpgrade(dataclasses.replace(fallback, id=operation_id)),)
        begin = build_creation(
            dependencies, app, kind="deploy_app", requester=requester, kept_id=operation_id if stored else ""
        )
        reason = app.rendering.runtime_reason
        changes = (*stored, *((AddLog(app.id, reason, level="warning"),) if reason else ()))
        if await store.add_app(app, dataclasses.replace(begin, quota=quota), changes=changes):
            return app
    raise NoFreePortError(f"no port of host {plan.placement.host_id} could be taken", retry_after=1)
