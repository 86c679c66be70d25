"""Refusals of new apps that are known before they are recorded, for previews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.apps.domain.config import AppConfig
from services.apps.domain.errors import refuse_hostname
from services.apps.domain.quotas import Quotas, check_quota
from services.common.core.errors import DomainError


class CountedApps(Protocol):
    """The apps that hostnames and quotas are compared with."""

    async def list_counted_configs(self, *, owner: int) -> Sequence[AppConfig]:
        """List the configurations of the apps of an owner that count for a quota."""

    async def is_hostname_taken(self, hostname: str) -> bool:
        """Whether an app has a hostname."""


async def find_refusals(
    store: CountedApps, quotas: Quotas, *, hostname: str, owner_id: int, config: AppConfig
) -> list[DomainError]:
    """Return why the record of a new app would be refused now, in the words of the refusal.

    Args:
        store: the apps that there are.
        quotas: of their owners.
        hostname: of the new app; empty: not chosen yet.
        owner_id: whose quota it counts for.
        config: its resources.
    """
    found: list[DomainError] = []
    if hostname and await store.is_hostname_taken(hostname):
        found.append(refuse_hostname(hostname))
    try:
        quota = await quotas.get_quota(owner_id)
        if not quota.is_unlimited:
            check_quota(quota, [*await store.list_counted_configs(owner=owner_id), config])
    except DomainError as error:
        found.append(error)
    return found
