"""GetUsage: what the apps of a user take together, beside the quota."""

from __future__ import annotations

from services.apps.domain.interfaces import SummaryStore
from services.apps.domain.quotas import Quotas, UsedResources, sum_usage
from services.clients.auth.values import Quota


async def get_usage(store: SummaryStore, quotas: Quotas, *, user_id: int) -> tuple[UsedResources, Quota]:
    """Return what the apps of a user take together, and may take.

    Raises:
        UnavailableError: auth, which has the quotas, does not answer.
    """
    return sum_usage(await store.list_counted_configs(owner=user_id)), await quotas.get_quota(user_id)
