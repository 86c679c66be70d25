"""Limits that administrators set for policies of users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.backups.domain.errors import PoliciesOfUsersForbiddenError, PolicyLimitError
from services.backups.domain.policies import AppliesTo, BackupPolicy, PolicySettings, refuse_policy
from services.common.core.parsing import Patch


@dataclass(frozen=True, kw_only=True)
class PolicyLimits:
    """Limits of policies of users.

    Attributes:
        allowed: whether users may have policies at all; without it those that exist do nothing.
        max_policies: of one user.
        min_interval_minutes: the shortest time between two runs.
        max_kept: the most backups of an app that a policy keeps.
        storages: that may be named; empty: every one.
    """

    allowed: bool = False
    max_policies: int = 3
    min_interval_minutes: int = 1440  # a nightly backup; hourly ones of many users would fill the storages
    max_kept: int = 30
    storages: tuple[str, ...] = ()

    @property
    def paused_reason(self) -> str:
        """Reason why policies of users do nothing; empty: they work."""
        return "" if self.allowed else "policies of users are not allowed now; ask an administrator"

    def lets_run(self, policy: BackupPolicy) -> bool:
        """Whether a policy makes and removes backups now."""
        return policy.settings.enabled and (policy.owner_id is None or self.allowed)

    def check_allowed(self) -> None:
        """Refuse policies of users while they are not allowed.

        Raises:
            PoliciesOfUsersForbiddenError: they are not.
        """
        if not self.allowed:
            raise PoliciesOfUsersForbiddenError(
                "administrators have not allowed policies of users; ask one for backups by schedule"
            )

    def check_count(self, count: int) -> None:
        """Refuse another policy of a user who has `count`.

        Raises:
            PolicyLimitError: as many as are allowed.
        """
        if count >= self.max_policies:
            raise PolicyLimitError(f"you have {count} policies, the most that are allowed; delete one first")

    def check_settings(self, settings: PolicySettings) -> None:
        """Refuse settings of a user's policy beyond the limits.

        Raises:
            PolicyInvalidError: at the field.
        """
        shortest = timedelta(minutes=self.min_interval_minutes)
        if settings.parse_schedule().find_shortest_interval() < shortest:
            raise refuse_policy(
                "schedule",
                f"{settings.schedule!r} has runs less than {self.min_interval_minutes} minutes apart, the least that is allowed",
            )
        if settings.most_kept > self.max_kept:
            raise refuse_policy(
                "keep_last",
                f"the policy keeps up to {settings.most_kept} backups of an app; at most {self.max_kept} are allowed",
            )
        # With `owners` a user could name others, to whose apps the policy would apply.
        if settings.scope.applies_to is AppliesTo.OWNERS:
            raise refuse_policy(
                "applies_to",
                "only administrators have policies for other users; use all for all of your apps",
            )
        for name, storage in (
            ("storage", settings.order.storage),
            ("second_storage", settings.second_storage),
        ):
            if storage and self.storages and storage not in self.storages:
                raise refuse_policy(
                    name, f"{storage!r} is not allowed; use {', '.join(self.storages)}, or leave it out"
                )


@dataclass(frozen=True, kw_only=True)
class PolicyLimitChanges(Patch):
    """Changes of the limits of policies of users."""

    allowed: bool | None = None
    max_policies: int | None = None
    min_interval_minutes: int | None = None
    max_kept: int | None = None
    storages: tuple[str, ...] | None = None
