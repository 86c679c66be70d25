"""PlanDeployment: a deployment as it would be planned now, for a preview."""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.domain.config import AppConfig, ContainerLimits
from services.apps.domain.deployment import NewApp, choose_resources, plan_app, render_app
from services.apps.domain.quotas import Quotas
from services.apps.usecases.new_app_checks import CountedApps, find_refusals
from services.clients.catalog.interface import Catalog
from services.clients.inventory.interface import Containers
from services.common.core.errors import DomainError


@dataclass(frozen=True, kw_only=True)
class DeploymentPlan:
    """Choices of a deployment.

    Attributes:
        placement_message: why there is no place; empty: there is one.
        obstacles: why it would be refused, for want of a place or otherwise; empty: it would begin.
    """

    runtime: str
    resources: ContainerLimits
    host_id: int | None = None
    node: str = ""
    runtime_reason: str = ""
    placement_message: str = ""
    warnings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


async def plan_deployment(
    new: NewApp, catalog: Catalog, *, containers: Containers, apps: CountedApps, quotas: Quotas
) -> DeploymentPlan:
    """Return what a deployment would choose, and why it would be refused, through the same code.

    Nothing is created or reserved.

    Raises:
        InvalidError: the catalog does not know the item, or an input or a setting is wrong.
    """
    rendering = await render_app(new, catalog, runtime=new.config.requested_runtime, public_port=0)
    resources = choose_resources(new, rendering, defaults=await containers.get_deployment_defaults())
    runtime = new.config.requested_runtime or next(iter(rendering.runtimes), "compose")
    refusals = await find_refusals(
        apps,
        quotas,
        hostname=new.hostname,
        owner_id=new.owner_id,
        config=AppConfig(**vars(resources)),
    )
    obstacles = tuple(error.message for error in refusals)
    try:
        plan = await plan_app(new, catalog, containers=containers)
    except DomainError as error:
        return DeploymentPlan(
            runtime=runtime,
            resources=resources,
            placement_message=error.message,
            obstacles=(error.message, *obstacles),
        )
    return DeploymentPlan(
        runtime=plan.runtime,
        resources=resources,
        host_id=plan.placement.host_id,
        node=plan.placement.node,
        runtime_reason=plan.runtime_reason,
        warnings=plan.warnings,
        obstacles=obstacles,
    )
