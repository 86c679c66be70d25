"""GetDiscoveredContainer: a look inside a container before it is adopted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from services.apps.domain.app_checks import list_refusals
from services.apps.domain.errors import ContainerManagedError
from services.apps.usecases.adoption import check_holder, check_mark
from services.apps.usecases.dependencies import AppDependencies
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.inspections import Inspected
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref
from services.common.core.errors import DomainError

_FIND_S = 5.0  # a person waits; the commands inside come on top


@dataclass(frozen=True, kw_only=True)
class ContainerDetails:
    """A container that no app owns, and what runs in it.

    Attributes:
        obstacle: why nothing inside was looked at.
        obstacles: why its adoption would be refused where it does not name `replace_mark`.
    """

    container: Container
    inspected: Inspected
    obstacle: str = ""
    obstacles: tuple[str, ...] = ()


async def get_discovered_container(
    dependencies: AppDependencies, *, host_id: int, vmid: int
) -> ContainerDetails:
    """Return a container that no app owns and what runs in it; nothing is changed.

    Raises:
        ContainerNotFoundError: the host has no such container, or it is a template.
        ContainerManagedError: it is the container of an app.
        UnavailableError: the host does not answer.
    """
    ref = Ref(host_id, vmid)
    container = await find_container(dependencies.containers, ref, timeout=_FIND_S)
    if container is None or container.template:
        raise ContainerNotFoundError(f"host {host_id} has no container {vmid}")
    holders = [app for app in await dependencies.store.list_all_apps(host_id=host_id) if app.vmid == vmid]
    for app in holders:
        # What has the id of an app without its mark is somebody else's, as DiscoverContainers has it.
        if container.owner == app.id or not app.is_stable:
            raise ContainerManagedError(f"container {vmid} of host {host_id} belongs to {app.id}")
    obstacles = list_refusals(*(partial(check_holder, app, container) for app in holders))
    try:
        await check_mark(dependencies, container)
    except ContainerManagedError as error:
        obstacles = (error.message, *obstacles)
    inspected, obstacle = Inspected(ports=()), ""
    if container.status != "running":
        obstacle = f"it is {container.status}"
    else:
        try:
            inspected = await dependencies.containers.read_inspection(Ref(host_id, vmid, container.node))
        except DomainError as error:
            obstacle = error.message
    return ContainerDetails(container=container, inspected=inspected, obstacle=obstacle, obstacles=obstacles)
