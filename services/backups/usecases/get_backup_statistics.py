"""GetBackupStatistics: backups by app, policy and storage, and when a storage is full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeVar

from services.backups.domain.statistics import (
    BackupFacts,
    BackupTotals,
    StorageForecast,
    count_backups,
    forecast_storage,
)
from services.backups.usecases.context import BackupDependencies, BackupRequester

_LOOKED_BACK = timedelta(days=30)  # growth of this month; older growth says little about the next weeks

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class BackupStatistics:
    """Totals of backups.

    Attributes:
        apps: by id and name.
        policies: by id and name, of those that exist.
        storages: by host and name.
        forecasts: of all storages for backups, by host, name and node.
    """

    all: BackupTotals
    apps: Mapping[tuple[str, str], BackupTotals]
    policies: Mapping[tuple[int, str], BackupTotals]
    storages: Mapping[tuple[int, str], BackupTotals]
    forecasts: Mapping[tuple[int, str, str], StorageForecast]


async def get_backup_statistics(
    dependencies: BackupDependencies, requester: BackupRequester, *, now: datetime
) -> BackupStatistics:
    """Return numbers, sizes and times of the backups that the requester may see."""
    facts = await dependencies.storages.list_facts(owner_id=requester.owner_id)
    policies = await dependencies.policies.list_policies(owner_id=requester.owner_id)
    samples = await dependencies.storages.list_samples(since=(now - _LOOKED_BACK).date())
    by_policy = _group(facts, lambda one: one.policy_id)
    names = {one.app_id: one.app_name for one in facts}  # the newest name counts
    return BackupStatistics(
        all=count_backups(facts),
        apps={
            (app_id, names[app_id]): count_backups(found)
            for app_id, found in _group(facts, lambda one: one.app_id).items()
        },
        policies={
            (policy.id, policy.settings.name): count_backups(by_policy.get(policy.id, ()))
            for policy in policies
        },
        storages={
            key: count_backups(found)
            for key, found in _group(facts, lambda one: (one.host_id, one.storage)).items()
        },
        forecasts={
            key: forecast_storage(list(found))
            for key, found in groupby(samples, key=lambda one: (one.host_id, one.storage, one.node))
        },
    )


def _group(facts: Sequence[BackupFacts], key: Callable[[BackupFacts], K]) -> dict[K, list[BackupFacts]]:
    found: dict[K, list[BackupFacts]] = defaultdict(list)
    for one in facts:
        found[key(one)].append(one)
    return found
