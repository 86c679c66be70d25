"""PreviewItem: what exactly a deployment would run, on what and where."""

from __future__ import annotations

from dataclasses import replace

from services.catalog.domain.interfaces import Deployments, PlannedDeployment, WantedDeployment
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition, render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.common.core.errors import UnavailableError
from services.common.identity.tokens import User


async def preview_item(
    catalog: CatalogIndex, deployments: Deployments, wanted: WantedDeployment, *, user: User | None
) -> tuple[RenderedDefinition, PlannedDeployment]:
    """Render an item with its secrets masked, as a deployment with these settings would run it.

    Runtime, resources and place are those that a deployment would choose. While that cannot be asked, the item's own
    are shown, and the message says so.

    Raises:
        ItemNotFoundError: nothing of that id is published.
        InvalidError: the inputs or the settings do not fit.
    """
    item = catalog.get_item(wanted.item_id)
    request = RenderRequest(
        runtime=_take_runtime(wanted),
        project=wanted.hostname,
        hostname=wanted.hostname,
        environment=wanted.environment,
        image=str(wanted.config.get("image") or ""),
        port=_take_port(wanted),
        masked=True,
    )
    rendered = render_item(item, request)
    try:
        plan = await deployments.plan(wanted, user=user)
    except UnavailableError as error:
        need = item.resources
        plan = PlannedDeployment(
            runtime=rendered.runtime,
            memory=round(need.memory.minimum),
            cores=need.cpu.minimum,
            disk_size=round(need.disk.minimum),
            placement_message=error.message,
        )
    if plan.runtime != rendered.runtime:
        rendered = render_item(item, replace(request, runtime=plan.runtime))
    return rendered, plan


def _take_runtime(wanted: WantedDeployment) -> str:
    runtime = wanted.config.get("runtime")
    return runtime if runtime in {"compose", "oci"} else ""


def _take_port(wanted: WantedDeployment) -> int:
    """Return the port that replaces the item's; what is no port is refused where the deployment is planned."""
    port = wanted.config.get("port")
    return int(port) if isinstance(port, int | float) and 1 <= port <= 65_535 else 0
