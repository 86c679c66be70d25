"""DestroyDuplicate: destroy a container that carries the mark of an app and is not its container.

A database that was restored from an older backup leaves duplicates, and so does restoring or cloning a container of an
app in Proxmox.
"""

from __future__ import annotations

from datetime import timedelta

from services.apps.domain.app_checks import require_stable
from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError, ContainerManagedError
from services.apps.domain.interfaces import AppStore
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.destroy_orphan import begin_destruction, check_grace
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref

KIND = "destroy_duplicate"


async def destroy_duplicate(
    dependencies: AppDependencies, ref: Ref, *, requester: Requester, app_id: str, grace: timedelta
) -> str:
    """Queue the destruction of a duplicate of an app and return the subject of the operation.

    Raises:
        ContainerNotFoundError: reconciliation saw no such duplicate of this app, or it is gone.
        OrphanGraceError: it was seen too seldom, or not long enough.
        ContainerManagedError: it is the app's own container, or carries another mark now.
        AppBusyError: an operation on the app is under way, or it is being destroyed already.
    """
    sighting = await dependencies.store.find_sighting("duplicate", ref.host_id, vmid=ref.vmid)
    if sighting is None or sighting.seen.subject != app_id:
        raise ContainerNotFoundError(
            f"reconciliation saw no duplicate {ref.vmid} of {app_id} on host {ref.host_id}; let it look first"
        )
    check_grace(sighting, grace)
    marked = await check_duplicate(dependencies.store, ref, app_id=app_id)
    container = await find_container(dependencies.containers, ref)
    if container is None:
        raise ContainerNotFoundError(f"container {ref.vmid} is gone")
    if marked is not None:
        require_distinct(marked, container)
    if container.owner != app_id:
        raise ContainerManagedError(
            f"container {ref.vmid} carries the mark of {container.owner or 'nobody'}, not of {app_id}"
        )
    subject = f"duplicate.{ref.host_id}.{ref.vmid}"
    await dependencies.store.begin_destruction(
        subject, begin_destruction(dependencies, container, requester=requester, kind=KIND, mark=app_id)
    )
    return subject


def require_distinct(app: App, container: Container) -> None:
    """Refuse a container with the VMID and node of the app's own: the server may be registered twice.

    Raises:
        ContainerManagedError: it may be the app's own container.
    """
    if (app.vmid, app.node) == (container.vmid, container.node):
        raise ContainerManagedError(
            f"container {container.vmid} on {container.node} has the VMID and node of the app's own container: hosts "
            f"{app.host_id} and {container.host_id} may be the same server; delete one of them, or destroy the "
            "container in Proxmox"
        )


async def check_duplicate(store: AppStore, ref: Ref, *, app_id: str) -> App | None:
    """Refuse the container that an app has, or may be about to take over; return the app whose mark it carries.

    Raises:
        ContainerManagedError: it is the container of an app.
        AppBusyError: an operation on the app is under way.
    """
    # By VMID and not by mark, as two containers carry the mark here.
    for app in await store.list_all_apps(host_id=ref.host_id):
        if app.vmid == ref.vmid:
            raise ContainerManagedError(
                f"container {ref.vmid} of host {ref.host_id} is that of the app {app.id}"
            )
    try:
        marked = await store.get_app(app_id)
    except AppNotFoundError:
        return None  # the app was deleted since: nothing is left that the container could be of
    require_stable(marked)
    return marked
