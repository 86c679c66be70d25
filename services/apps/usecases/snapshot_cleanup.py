"""Clean-up of the platform's snapshots that an operation could not delete, or left as its worker died."""

from __future__ import annotations

from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.interfaces import AppStore
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Ref
from services.common.core.errors import DomainError, UnavailableError

MIN_AGE_S = 3600  # longer than any operation works with its snapshot


async def drop_left_snapshots(store: AppStore, containers: Containers, *, min_age_s: int = MIN_AGE_S) -> int:
    """Delete left snapshots where no operation is under way, and return how many there were.

    Snapshots in use are younger: an operation that begins meanwhile takes one of its own. Hosts that do not answer and
    containers that Proxmox works on are left for the next run.
    """
    silent: set[int] = set()
    dropped = 0
    for app in await store.list_all_apps():
        # One timeout for a silent host, not one for each of its apps.
        if app.host_id in silent or app.vmid is None or not await _is_resting(store, app.id):
            continue
        try:
            ref = Ref(app.host_id, app.vmid, app.node)
            dropped += len(await containers.drop_snapshots(ref, owner=app.id, min_age_s=min_age_s))
        except UnavailableError:
            silent.add(app.host_id)
        except DomainError:
            continue
    return dropped


async def _is_resting(store: AppStore, app_id: str) -> bool:
    try:
        app: App = await store.get_app(app_id)
    except AppNotFoundError:
        return False
    return app.is_stable
