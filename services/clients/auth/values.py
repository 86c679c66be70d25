"""Accounts, and how much their apps may take together."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_THEME = "rack_proximity"
"""Theme of the web interface until a user chooses another one."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Limits of all apps of a user together; None: unlimited. Memory in MB, disk in GB."""

    apps: int | None = None
    memory: int | None = None
    cores: int | None = None
    disk: int | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether it allows everything."""
        # 0 is a limit too: nothing is allowed.
        return not any(limit is not None for limit in vars(self).values())

    def over(self, other: Quota) -> Quota:
        """Return this quota, with the limits of another where this one has none."""
        return Quota(
            **{name: getattr(other, name) if own is None else own for name, own in vars(self).items()}
        )


@dataclass(frozen=True)
class UserFacts:
    """An account: whether it is an administrator's, and the quota that an administrator set for it."""

    id: int
    is_staff: bool
    quota: Quota
