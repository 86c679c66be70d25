"""DestroyOrphan: destroy a container that carries the platform's mark and belongs to no app."""

from __future__ import annotations

from datetime import timedelta

from services.apps.domain.entities import NewAppOperation
from services.apps.domain.errors import ContainerManagedError, OrphanGraceError
from services.apps.domain.interfaces import AppStore
from services.apps.domain.marks import find_holder
from services.apps.domain.sightings import CERTAIN, Sighting
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref
from services.common.core.clock import now

KIND = "destroy_orphan"


async def destroy_orphan(
    dependencies: AppDependencies, ref: Ref, *, requester: Requester, grace: timedelta
) -> str:
    """Queue the destruction of an orphan and return the mark that it carries.

    Raises:
        ContainerNotFoundError: reconciliation saw no orphan with this id, or it is gone.
        OrphanGraceError: it was seen too seldom, or not long enough.
        ContainerManagedError: it carries another mark now, or that of an app.
        AppBusyError: it is being destroyed already.
    """
    sighting = await dependencies.store.find_sighting("orphan", ref.host_id, vmid=ref.vmid)
    if sighting is None:
        # Findings list both kinds side by side, so that they are easily confused.
        if await dependencies.store.find_sighting("duplicate", ref.host_id, vmid=ref.vmid) is not None:
            raise ContainerManagedError(
                f"container {ref.vmid} of host {ref.host_id} is no orphan but a duplicate: its mark is that of an app; "
                "use POST /api/apps/duplicates/destroy"
            )
        raise ContainerNotFoundError(
            f"reconciliation saw no orphan {ref.vmid} on host {ref.host_id}; let it look first"
        )
    check_grace(sighting, grace)
    # Read again, as the mark may have changed since the sighting.
    container = await find_container(dependencies.containers, ref)
    if container is None:
        raise ContainerNotFoundError(f"container {ref.vmid} is gone")
    mark = sighting.seen.subject
    await _require_orphan(dependencies.store, mark, container=container)
    # Before the write, whose transaction has the audit entry.
    requester.name_target(f"app {mark}, container {ref.vmid}, host {ref.host_id}")
    await dependencies.store.begin_destruction(
        mark, begin_destruction(dependencies, container, requester=requester, kind=KIND, mark=mark)
    )
    return mark


def check_grace(sighting: Sighting, grace: timedelta) -> None:
    """Refuse a container that was seen too seldom or too short a time.

    Raises:
        OrphanGraceError: with the time from when on it may go.
    """
    allowed = sighting.find_destroyable(grace)
    if sighting.scans < CERTAIN or now() < allowed:
        raise OrphanGraceError(
            f"container {sighting.seen.vmid} may be destroyed from {allowed.isoformat(timespec='seconds')} on, "
            f"once {CERTAIN} scans have seen it; until now there was {sighting.scans}"
        )


async def _require_orphan(store: AppStore, mark: str, *, container: Container) -> None:
    if container.owner != mark:
        holder = container.owner or "nobody"
        raise ContainerManagedError(f"container {container.vmid} carries the mark of {holder}, not of {mark}")
    if app_id := await find_holder(store, mark):
        raise ContainerManagedError(f"container {container.vmid} belongs to the app {app_id}")


def begin_destruction(
    dependencies: AppDependencies, container: Container, *, requester: Requester, kind: str, mark: str
) -> NewAppOperation:
    """The operation that destroys a container with a mark."""
    state = {
        "app_id": mark,
        "host_id": container.host_id,
        "node": container.node,
        "vmid": container.vmid,
    }
    return NewAppOperation(
        id=requester.operation_id,
        kind=kind,
        status="",
        state=state,
        steps=dependencies.plan(kind, state),
        requested_by=requester.user_id,
        node=f"{container.host_id}/{container.node} quick",
    )
