"""Quotas: limits of the resources of all apps of a user together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from services.apps.domain.config import AppConfig
from services.apps.domain.errors import QuotaExceededError
from services.clients.auth.values import Quota

_UNITS = {"apps": "", "memory": " MB", "cores": "", "disk": " GB"}


class Quotas(Protocol):
    """Quotas of users."""

    async def get_quota(self, user_id: int) -> Quota:
        """Return the quota of a user."""


class Unlimited:
    """No quotas."""

    async def get_quota(self, user_id: int) -> Quota:  # noqa: ARG002 - it is the same for all
        """See `Quotas.get_quota`."""
        return Quota()


@dataclass
class UsedResources:
    """Sums over apps: their number, MB of memory, cores and GB of disk."""

    apps: int = 0
    memory: int = 0
    cores: int = 0
    disk: int = 0


def sum_usage(configs: Iterable[AppConfig]) -> UsedResources:
    """Sum what apps of these configurations take together, as quotas count it."""
    used = UsedResources()
    for config in configs:
        used.apps += 1
        used.memory += config.memory or 0
        used.cores += config.cores or 0
        used.disk += config.disk_size or 0
    return used


def check_quota(quota: Quota, configs: Iterable[AppConfig]) -> None:
    """Refuse what apps of these configurations would take together.

    Raises:
        QuotaExceededError: naming what is too much, how much it would be, and how much is allowed.
    """
    used = vars(sum_usage(configs))
    for name, limit in vars(quota).items():
        if limit is not None and used[name] > limit:
            unit = _UNITS[name]
            raise QuotaExceededError(
                f"quota of {name}: with this it would be {used[name]}{unit}, and {limit}{unit} are allowed",
                metadata={"quota": name, "wanted": str(used[name]), "allowed": str(limit)},
            )
