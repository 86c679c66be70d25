"""What all apps of a user may take together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.apps.domain.errors import QuotaExceededError

_UNITS = {"apps": "", "memory": " MB", "cores": "", "disk": " GB"}


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How much is allowed; None: as much as there is. Memory in MB, disk in GB."""

    apps: int | None = None
    memory: int | None = None
    cores: int | None = None
    disk: int | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether it allows everything."""
        return not any(limit is not None for limit in vars(self).values())

    def over(self, other: Quota) -> Quota:
        """This one, and the other where this one says nothing."""
        return Quota(
            **{name: getattr(other, name) if own is None else own for name, own in vars(self).items()}
        )


class Quotas(Protocol):
    """Who may have how much."""

    async def get_quota(self, user_id: int) -> Quota:
        """The quota of a user."""


class Unlimited:
    """Everybody may have everything."""

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
