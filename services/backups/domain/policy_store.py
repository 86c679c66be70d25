"""Interface of the store of policies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.backups.domain.entities import Backup
from services.backups.domain.policies import BackupPolicy, PolicyRun, PolicySettings
from services.backups.domain.policy_limits import PolicyLimitChanges, PolicyLimits

RunKey = tuple[int, str]
"""Id of a policy and of an app."""


class Policies(Protocol):
    """Policies; `owner_id` None: of all users and of administrators."""

    async def list_policies(self, *, owner_id: int | None = None) -> Sequence[BackupPolicy]:
        """List policies by name."""

    async def get_policy(self, policy_id: int, *, owner_id: int | None = None) -> BackupPolicy:
        """Return one policy.

        Raises:
            PolicyNotFoundError: there is none of this owner.
        """

    async def add_policy(
        self, settings: PolicySettings, *, owner_id: int | None, limits: PolicyLimits | None = None
    ) -> BackupPolicy:
        """Add a policy of a user, or of the administrators, that applies from now on.

        Raises:
            PolicyNameTakenError: another one of this owner has the name.
            PolicyLimitError: there are too many, or `limits` allow the user no more.
        """

    async def check_number(self, *, owner_id: int | None, limits: PolicyLimits | None = None) -> None:
        """Refuse another policy where there are too many; nothing is added.

        Raises:
            PolicyLimitError: as `add_policy`.
        """

    async def update_policy(self, policy: BackupPolicy, settings: PolicySettings) -> BackupPolicy:
        """Replace the settings of a policy as it was read; new times count from now.

        Raises:
            PolicyNotFoundError: there is none.
            PolicyChangedError: it was changed since it was read.
            PolicyNameTakenError: another one of this owner has the name.
        """

    async def drop_apps(self, policy_id: int, app_ids: Collection[str]) -> None:
        """Take apps that were deleted off the list of a policy, which otherwise stays as it is."""

    async def delete_policy(self, policy_id: int, *, owner_id: int | None = None) -> None:
        """Delete a policy; its backups stay.

        Raises:
            PolicyNotFoundError: there is none of this owner.
        """

    async def hand_over_policies(self, owner_id: int, *, to: int) -> None:
        """Make the policies of a user those of another; a name that the other has gets the policy's id behind it."""

    async def get_limits(self) -> PolicyLimits:
        """Return the limits of policies of users."""

    async def update_limits(self, changes: PolicyLimitChanges) -> None:
        """Change the limits of policies of users that are named; others stay, also where another request changes them."""


class PolicyRuns(Protocol):
    """Runs of policies: what they did for each app."""

    async def list_runs(self) -> Mapping[RunKey, PolicyRun]:
        """Return what is recorded of all policies that apply to apps."""

    async def find_runs(self, policy_id: int) -> Mapping[str, PolicyRun]:
        """Return what is recorded of a policy, by app."""

    async def add_runs(self, policy_id: int, app_ids: Collection[str], *, since: datetime) -> None:
        """Record that a policy applies to apps since a time, where nothing is recorded of them."""

    async def begin_runs(self, covered: Collection[RunKey], *, now: datetime) -> Mapping[RunKey, PolicyRun]:
        """Record which policies apply to which apps from now on, where that is not recorded; delete what is no more.

        What was recorded after `now` is of a policy that was changed since `covered` was listed, and stays.
        """

    async def note_run(self, policy_id: int, app_id: str, *, slot: datetime) -> None:
        """Record that the backup of a slot was begun."""

    async def note_waiting(self, policy_id: int, app_id: str, *, reason: str) -> None:
        """Record what holds a run up that is due."""

    async def note_overdue(self, policy_id: int, app_id: str, *, slot: datetime) -> bool:
        """Announce that the backup of a slot is overdue; False when that was announced before."""

    async def list_busy_nodes(self) -> Collection[str]:
        """List the nodes (`host/node`) on which a backup is being made."""

    async def list_policy_backups(self, policy_id: int) -> Mapping[str, Sequence[Backup]]:
        """List the backups that a policy made of apps that were not deleted, by app, newest first."""

    async def list_covered(self) -> Mapping[RunKey, datetime]:
        """Return when the newest good backup of each policy and app was requested."""


class PolicyStore(Policies, PolicyRuns, Protocol):
    """Policies, and what they did for each app."""
