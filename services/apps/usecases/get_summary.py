"""GetSummary: counts of apps and operations, apps without a backup, and the capacity of the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.apps.domain.interfaces import SummaryStore
from services.apps.domain.summary import Summary
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.clients.backups.interface import Backups
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import NodeCapacity
from services.common.core.clock import now
from services.common.core.errors import UnavailableError

_FAILED = timedelta(hours=24)  # a failure of yesterday was seen, or needs the list of operations
_PAGE = 500  # apps of one request to backups


async def get_summary(
    store: SummaryStore,
    updates: CatalogUpdates,
    *,
    backups: Backups,
    containers: Containers,
    owner_filter: int | None,
) -> Summary:
    """Return the state of what a user may see; parts of services that do not answer are None."""
    revisions = await store.count_by_revision(owner=owner_filter)
    return Summary(
        apps_by_status=await store.count_by_status(owner=owner_filter),
        updates=sum(count for item, count in revisions.items() if updates.find_newer(*item) is not None),
        operations=await store.count_operations(owner=owner_filter, failed_since=now() - _FAILED),
        without_backup=await _list_without_backup(backups, await store.list_app_ids(owner=owner_filter)),
        nodes=await _list_nodes(containers),
    )


async def _list_without_backup(backups: Backups, app_ids: Sequence[str]) -> list[str] | None:
    """Return those of some apps that have no backup which can be restored; None: backups does not answer."""
    found: list[str] = []
    try:
        for start in range(0, len(app_ids), _PAGE):
            page = app_ids[start : start + _PAGE]
            counts = await backups.count_backups(page)
            found += [app_id for app_id in page if app_id not in counts or not counts[app_id].completed]
    except UnavailableError:
        return None
    return found


async def _list_nodes(containers: Containers) -> Sequence[NodeCapacity] | None:
    try:
        return await containers.list_capacity()
    except UnavailableError:
        return None
