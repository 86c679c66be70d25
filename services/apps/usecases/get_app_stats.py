"""GetAppStats: the metrics of an app's container as Proxmox reports them now."""

from __future__ import annotations

from services.apps.domain.errors import ContainerUnmanagedError
from services.apps.domain.interfaces import AppReads
from services.apps.domain.marks import describe_unmanaged
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref

_FIND_S = 5.0  # a person waits for the answer


async def get_app_stats(
    apps: AppReads, containers: Containers, *, app_id: str, owner_filter: int | None
) -> Container:
    """Return an app's container as Proxmox reports it now.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        ContainerNotFoundError: it has none.
        ContainerUnmanagedError: what has its id does not carry its mark.
        UnavailableError: the host does not answer.
    """
    app = await apps.get_app(app_id, owner=owner_filter)
    if app.vmid is None:
        raise ContainerNotFoundError(f"{app.id} has no container")
    container = await find_container(containers, Ref(app.host_id, app.vmid, app.node), timeout=_FIND_S)
    if container is None:
        raise ContainerNotFoundError(f"{app.id} has no container")
    if container.owner != app.id:
        raise ContainerUnmanagedError(describe_unmanaged(app, container))
    return container
