"""Put an app's mark on its container again, where somebody took it away."""

from __future__ import annotations

from services.apps.domain.entities import AddLog, App, ChangeApp
from services.apps.domain.errors import (
    AppStateError,
    ContainerManagedError,
    ContainerNotFoundError,
    ContainerUnmanagedError,
)
from services.apps.domain.marks import UNMANAGED, find_holder, is_recognisable
from services.apps.usecases.dependencies import AppDependencies, require_stable
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref


async def mark_container(world: AppDependencies, app: App, *, confirm: bool) -> App:
    """Mark the container with the app's id as the app's, and return the app without the condition `unmanaged`.

    Args:
        world: what use cases work with.
        app: the app.
        confirm: an administrator has checked a container that does not look like the app's.

    Raises:
        AppBusyError: an operation on the app is under way.
        AppStateError: the app has no container.
        ContainerNotFoundError: it is gone.
        ContainerManagedError: it is another app's.
        ContainerUnmanagedError: it does not look like the app's, and `confirm` is not given.
        BusyError: Proxmox works on it.
    """
    require_stable(app)
    if app.vmid is None:
        raise AppStateError(f"{app.id} has no container; delete it and deploy it again")
    container = await find_container(world.containers, Ref(app.host_id, app.vmid, app.node))
    if container is None:
        raise ContainerNotFoundError(f"host {app.host_id} has no container {app.vmid}")
    await _check(world, app, container, confirm=confirm)
    ref = Ref(container.host_id, container.vmid, container.node)
    await world.containers.adopt_container(ref, owner=app.id, instead_of=container.owner)
    values = {
        "conditions": [],
        "node": container.node,
        "address": container.address,
        **({"status": container.status, "error": ""} if _is_told(app, container) else {}),
    }
    line = f"Container {container.vmid} was marked as the app's again"
    await world.store.change(ChangeApp(app.id, values), AddLog(app.id, line, "warning", "mark_container"))
    return await world.store.get_app(app.id)


async def _check(world: AppDependencies, app: App, container: Container, *, confirm: bool) -> None:
    mark = container.owner
    if mark == app.id:
        return
    if mark and (holder := await find_holder(world.store, mark)):
        raise ContainerManagedError(f"container {container.vmid} carries the mark of the app {holder}")
    if not confirm and (mark or not is_recognisable(app, container)):
        what = f"carries the mark of {mark}" if mark else f"is named {container.name!r}, not {app.hostname!r}"
        raise ContainerUnmanagedError(
            f"container {container.vmid} {what}: check in Proxmox that it is the app's, then repeat with confirm: true"
        )


def _is_told(app: App, container: Container) -> bool:
    """Whether the container says what the app's status is: an app in error may be so for its lost mark alone."""
    lost_mark = any(one.type == UNMANAGED for one in app.conditions) or app.status != "error"
    return lost_mark and container.status in {"running", "stopped"}
