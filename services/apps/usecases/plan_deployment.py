"""PlanDeployment: a deployment as it would be planned now, for a preview."""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.domain.config import ContainerLimits
from services.apps.domain.deployment import NewApp, choose_resources, plan_app, render_app
from services.clients.catalog.interface import Catalog
from services.clients.inventory.interface import Containers
from services.common.core.errors import DomainError


@dataclass(frozen=True, kw_only=True)
class DeploymentPlan:
    """Choices of a deployment; without a place, `placement_message` says why."""

    runtime: str
    resources: ContainerLimits
    host_id: int | None = None
    node: str = ""
    runtime_reason: str = ""
    placement_message: str = ""
    warnings: tuple[str, ...] = ()


async def plan_deployment(new: NewApp, catalog: Catalog, *, containers: Containers) -> DeploymentPlan:
    """Return what a deployment would choose, through the same code; nothing is created or reserved.

    Raises:
        InvalidError: the catalog does not know the item, or an input or a setting is wrong.
    """
    rendering = await render_app(new, catalog, runtime=new.config.requested_runtime, public_port=0)
    resources = choose_resources(new, rendering, defaults=await containers.get_deployment_defaults())
    runtime = new.config.requested_runtime or next(iter(rendering.runtimes), "compose")
    try:
        plan = await plan_app(new, catalog, containers=containers)
    except DomainError as error:
        return DeploymentPlan(runtime=runtime, resources=resources, placement_message=error.message)
    return DeploymentPlan(
        runtime=plan.runtime,
        resources=resources,
        host_id=plan.placement.host_id,
        node=plan.placement.node,
        runtime_reason=plan.runtime_reason,
        warnings=plan.warnings,
    )
