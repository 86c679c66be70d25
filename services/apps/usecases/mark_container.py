"""MarkContainer: put an app's mark on its container again, where somebody took it away."""

from __future__ import annotations

from services.apps.domain.app_checks import require_container, require_stable
from services.apps.domain.changes import AddLog, ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import ContainerManagedError, ContainerUnmanagedError
from services.apps.domain.marks import UNMANAGED, find_holder, is_recognisable
from services.apps.usecases.dependencies import AppDependencies
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref


async def mark_container(
    dependencies: AppDependencies, app_id: str, *, owner_filter: int | None, confirm: bool
) -> App:
    """Mark the container with the app's id as the app's, and return the app without the condition `unmanaged`.

    Args:
        dependencies: what use cases work with.
        app_id: the app.
        owner_filter: the user whose apps may be marked; None: every app.
        confirm: an administrator has checked a container that does not look like the app's.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        AppBusyError: an operation on the app is under way.
        AppStateError: the app has no container.
        ContainerNotFoundError: it is gone.
        ContainerManagedError: it is another app's.
        ContainerUnmanagedError: it does not look like the app's, and `confirm` is not given.
        BusyError: Proxmox works on it.
    """
    app = await dependencies.store.get_app(app_id, owner=owner_filter)
    require_stable(app)
    vmid = require_container(app)
    container = await find_container(dependencies.containers, Ref(app.host_id, vmid, app.node))
    if container is None:
        raise ContainerNotFoundError(f"host {app.host_id} has no container {app.vmid}")
    await _check(dependencies, app, container=container, confirm=confirm)
    # The node that Proxmox reports now: the HA manager may have moved the container.
    ref = Ref(container.host_id, container.vmid, container.node)
    await dependencies.containers.adopt_container(ref, owner=app.id, instead_of=container.owner)
    values = {
        "conditions": [],
        "node": container.node,
        "address": container.address,
        **({"status": container.status, "error": ""} if _has_plain_status(app, container) else {}),
    }
    line = f"Container {container.vmid} was marked as the app's again"
    await dependencies.store.change(
        ChangeApp(app.id, values), AddLog(app.id, line, "warning", "mark_container")
    )
    return await dependencies.store.get_app(app.id)


async def _check(dependencies: AppDependencies, app: App, *, container: Container, confirm: bool) -> None:
    mark = container.owner
    if mark == app.id:
        return
    if mark and (holder := await find_holder(dependencies.store, mark)):
        raise ContainerManagedError(f"container {container.vmid} carries the mark of the app {holder}")
    if not confirm and (mark or not is_recognisable(app, container)):
        what = f"carries the mark of {mark}" if mark else f"is named {container.name!r}, not {app.hostname!r}"
        raise ContainerUnmanagedError(
            f"container {container.vmid} {what}: check in Proxmox that it is the app's, then repeat with confirm: true"
        )


def _has_plain_status(app: App, container: Container) -> bool:
    """Whether the app's status follows from its container's: an app in error may be so for its lost mark alone."""
    lost_mark = any(one.type == UNMANAGED for one in app.conditions) or app.status != "error"
    return lost_mark and container.status in {"running", "stopped"}
