"""ImportExportedApp: an app of a document of another platform."""

from __future__ import annotations

import dataclasses
from typing import Any

from services.apps.domain.compose import republish
from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError, NoFreePortError
from services.apps.domain.imports import ImportOrder, ImportPlan
from services.apps.domain.rendering import AppRendering
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.deploy_app import PORT_ATTEMPTS
from services.apps.usecases.new_operation import build_creation
from services.apps.usecases.plan_import import plan_import
from services.common.core.clock import now


@dataclasses.dataclass(frozen=True)
class Import:
    """An import that was recorded; `warnings` say what differs here."""

    app: App
    warnings: tuple[str, ...] = ()


async def import_exported_app(
    dependencies: AppDependencies, order: ImportOrder, *, requester: Requester
) -> Import:
    """Record a new app of a document and the operation that makes it; a repetition with the same id returns the first one.

    Raises:
        DomainError: the first obstacle of its plan.
        NoFreePortError: every port that was chosen was taken meanwhile.
    """
    requester.name_target(
        f"app {order.app_id}, exported as {order.document.app.id}, hostname {order.hostname}"
    )
    try:
        return Import(await dependencies.store.get_app(order.app_id))
    except AppNotFoundError:
        plan = await plan_import(dependencies, order)
    if plan.obstacles:
        raise plan.obstacles[0]
    quota = await dependencies.quotas.get_quota(order.owner_id)
    archive = order.archive
    state: dict[str, Any] = {"archive": archive.volume_id if archive else ""}
    if plan.restore:
        state |= {"archive_size": plan.restore.archived.size, "exported_id": plan.restore.archived.owner}
    host_id = plan.placement.host_id if plan.placement else 0
    # Chosen here and taken in the transaction that adds the app: another deployment may take it in between.
    for _ in range(PORT_ATTEMPTS):
        app = _build_app(plan, public_port=await dependencies.store.choose_port(host_id))
        begin = build_creation(dependencies, app, kind="import_exported_app", requester=requester, **state)
        if await dependencies.store.add_app(app, dataclasses.replace(begin, quota=quota)):
            return Import(app, plan.warnings)
    raise NoFreePortError(f"no port of host {host_id} could be taken", retry_after=1)


def _build_app(plan: ImportPlan, *, public_port: int) -> App:
    assert plan.placement is not None
    order, exported, place = plan.order, plan.order.document.app, plan.placement
    current = now()
    return App(
        id=order.app_id,
        catalog_id=exported.catalog_id,
        name=order.name,
        hostname=order.hostname,
        status="deploying",
        host_id=place.host_id,
        node=place.node,
        owner_id=order.owner_id,
        runtime=plan.runtime,
        internal_port=exported.internal_port,
        public_port=public_port,
        published=exported.published,
        config=dataclasses.replace(
            order.config,
            image=exported.config.image,
            port=exported.config.port,
            **vars(plan.resources),
            runtime=plan.runtime,
        ),
        environment=plan.environment,
        inputs=plan.inputs,
        secret_names=exported.secret_names,
        rendering=_render_record(plan, public_port=public_port),
        revision=exported.revision,
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )


def _render_record(plan: ImportPlan, *, public_port: int) -> AppRendering:
    """Return the record of what runs in the app: the definition of the document in the network of this platform."""
    exported, place, defaults = plan.order.document.app, plan.placement, plan.defaults
    compose = exported.rendering.compose
    if exported.published and exported.public_port and compose:
        # Another app here may have the port that it had there.
        compose = republish(compose, exported.public_port, new=public_port)
    return dataclasses.replace(
        exported.rendering,
        compose=compose,
        network_cidr=plan.address,
        vlan=plan.order.config.vlan or 0,
        bridge=plan.bridge,
        gateway=place.gateway if place and place.bridge else defaults.gateway,
        nameservers=defaults.nameservers,
    ).mark_without_values()
