"""GetAppMetrics: what an app used over time, from Proxmox's own history."""

from __future__ import annotations

from services.apps.domain.interfaces import AppReads
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.interface import Containers
from services.clients.inventory.metrics import MetricHistory
from services.clients.inventory.values import Ref

DEFAULT_RANGE = "hour"


async def get_app_metrics(
    apps: AppReads, containers: Containers, *, app_id: str, owner_filter: int | None, timeframe: str = ""
) -> MetricHistory:
    """Return what an app used over the last hour, day, week, month or year; the default is the hour.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        ContainerNotFoundError: it has none.
        ForbiddenError: what has its id does not carry its mark.
        UnavailableError: the host does not answer.
    """
    app = await apps.get_app(app_id, owner=owner_filter)
    if app.vmid is None:
        raise ContainerNotFoundError(f"{app.id} has no container")
    ref = Ref(app.host_id, app.vmid, app.node)
    return await containers.get_container_metrics(ref, owner=app.id, timeframe=timeframe or DEFAULT_RANGE)
