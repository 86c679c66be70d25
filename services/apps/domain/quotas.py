"""Quotas: limits of the resources of all apps of a user together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.apps.domain.errors import QuotaExceededError

_UNITS = {"apps": "", "memory": " MB", "cores": "", "disk": " GB"}


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Limits of a user; None: unlimited. Memory in MB, disk in GB."""

    apps: int | None = None
    memory: int | None = None
    cores: int | None = None
    disk: int | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether it allows everything."""
        return not any(limit is not None for limit in vars(self).values())

    def over(self, other: Quota) -> Quota:
        """Return this quota, with the limits of the other where this one has none."""
        return Quota(
            **{name: getattr(other, name) if own is None else own for name, own in vars(self).items()}
        )


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
