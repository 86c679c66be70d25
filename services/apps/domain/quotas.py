"""Quotas: limits of the resources of all apps of a user together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

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


def check_quota(quota: Quota, configs: Iterable[Mapping[str, Any]]) -> None:
    """Refuse what apps of these configurations would take together.

    Raises:
        QuotaExceededError: naming what is too much, how much it would be, and how much is allowed.
    """
    used = {"apps": 0, "memory": 0, "cores": 0, "disk": 0}
    for config in configs:
        used["apps"] += 1
        for name, key in (("memory", "memory"), ("cores", "cores"), ("disk", "disk_size")):
            used[name] += int(config.get(key, 0) or 0)
    for name, limit in vars(quota).items():
        if limit is not None and used[name] > limit:
            unit = _UNITS[name]
            raise QuotaExceededError(
                f"quota of {name}: with this it would be {used[name]}{unit}, and {limit}{unit} are allowed",
                metadata={"quota": name, "wanted": str(used[name]), "allowed": str(limit)},
            )
