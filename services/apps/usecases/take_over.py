"""Repetition of a take-over that failed: the container of an imported app gets its mark when nothing hinders it any more."""

from __future__ import annotations

from services.apps.domain.changes import AddLog, ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.interfaces import AppStore
from services.apps.domain.marks import has_failed_take_over, is_recognisable
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Container, Ref
from services.common.core.errors import DomainError
from services.common.core.log import get_logger

log = get_logger()


def may_take_over(app: App, container: Container) -> bool:
    """Whether a container is certainly that of an imported app whose take-over failed, and nobody else's."""
    if not has_failed_take_over(app) or container.owner not in {"", app.id}:
        return False
    return container.owner == app.id or is_recognisable(app, container)


async def repeat_take_over(
    store: AppStore, containers: Containers, *, app: App, container: Container
) -> bool:
    """Mark the container of an app and set the app's status by it; False where that is refused again."""
    ref = Ref(container.host_id, container.vmid, container.node)
    try:
        await containers.adopt_container(ref, owner=app.id)
    except DomainError as error:
        log.warning("take_over_refused", app_id=app.id, vmid=container.vmid, error=error.message)
        return False
    running = container.status == "running"
    values: dict[str, object] = {
        "status": "running" if running else "stopped",
        "error": "",
        "conditions": [],
        "node": container.node,
        "address": container.address,
        "internal_port": await _find_port(containers, ref) if running else None,
    }
    line = f"Container {container.vmid} was taken over; what hindered the first take-over is gone"
    await store.change(ChangeApp(app.id, values), AddLog(app.id, line, "info", "reconcile"))
    return True


async def _find_port(containers: Containers, ref: Ref) -> int | None:
    try:
        return await containers.inspect_container(ref)
    except DomainError:
        return None  # the app has no URL then, and works all the same
