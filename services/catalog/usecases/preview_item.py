"""PreviewItem: the definition, resources and place that a deployment would have."""

from __future__ import annotations

from dataclasses import replace

from services.catalog.domain.host_permissions import HostPermissions
from services.catalog.domain.interfaces import (
    PublishedCatalog,
)
from services.catalog.domain.renderer.host_needs import is_permitted
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition, render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.clients.apps.interface import Deployments
from services.clients.apps.values import PlannedDeployment, WantedDeployment
from services.common.core.errors import UnavailableError
from services.common.identity.tokens import User


async def preview_item(
    catalog: PublishedCatalog,
    deployments: Deployments,
    *,
    wanted: WantedDeployment,
    user: User | None,
    permissions: HostPermissions,
) -> tuple[RenderedDefinition, PlannedDeployment]:
    """Render an item with its secrets masked, as a deployment with these settings would run it.

    Runtime, resources and place are those that the service of apps would choose. While it does not answer, the item's
    own are returned, with the reason as the placement message.

    Raises:
        ItemNotFoundError: nothing of that id is published.
        InvalidError: the inputs or the settings do not fit.
    """
    item = (await catalog.find_index(wanted.item_id)).get_item(wanted.item_id)
    request = RenderRequest(
        runtime=_take_runtime(wanted),
        project=wanted.hostname,
        hostname=wanted.hostname,
        environment=wanted.environment,
        image=str(wanted.config.get("image") or ""),
        port=_take_port(wanted),
        masked=True,
        optional_devices=is_permitted(item, await permissions.list_permitted(item)),
    )
    rendered = render_item(item, request)
    try:
        plan = await deployments.plan_deployment(wanted, user=user)
    except UnavailableError as error:
        need = item.resources
        plan = PlannedDeployment(
            runtime=rendered.runtime,
            memory=round(need.memory.minimum),
            cores=need.cpu.minimum,
            disk_size=round(need.disk.minimum),
            placement_message=error.message,
            obstacles=(error.message,),
        )
    # Apps may choose another runtime than the item's first, for example where the node lacks Docker.
    if plan.runtime != rendered.runtime:
        rendered = render_item(item, replace(request, runtime=plan.runtime))
    return rendered, plan


def _take_runtime(wanted: WantedDeployment) -> str:
    runtime = wanted.config.get("runtime")
    return runtime if runtime in {"compose", "oci"} else ""


def _take_port(wanted: WantedDeployment) -> int:
    """Return the port that replaces the item's; a number that is no port is refused by the service of apps."""
    port = wanted.config.get("port")
    return int(port) if isinstance(port, int | float) and 1 <= port <= 65_535 else 0
