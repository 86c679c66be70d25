"""Interface of the store of policies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.backups.domain.entities import Backup
from services.backups.domain.policies import BackupPolicy, PolicyRun, PolicySettings


class PolicyStore(Protocol):
    """Policies, and what they did for each app."""

    async def list_policies(self) -> Sequence[BackupPolicy]:
        """List all policies by name."""

    async def get_policy(self, policy_id: int) -> BackupPolicy:
        """Return one policy.

        Raises:
            PolicyNotFoundError: there is none.
        """

    async def add_policy(self, settings: PolicySettings) -> BackupPolicy:
        """Add a policy that applies from now on.

        Raises:
            PolicyNameTakenError: another one has the name.
            PolicyLimitError: there are too many.
        """

    async def update_policy(self, policy: BackupPolicy, settings: PolicySettings) -> BackupPolicy:
        """Replace the settings of a policy; new times count from now.

        Raises:
            PolicyNotFoundError: there is none.
            PolicyNameTakenError: another one has the name.
        """

    async def delete_policy(self, policy_id: int) -> None:
        """Delete a policy; its backups stay.

        Raises:
            PolicyNotFoundError: there is none.
        """

    async def begin_runs(self, policy: BackupPolicy, *, now: datetime) -> Mapping[str, PolicyRun]:
        """Record that a policy applies to its apps from now on, where that is not recorded, and return all by app."""

    async def note_run(self, policy_id: int, app_id: str, *, slot: datetime) -> None:
        """Record that the backup of a slot was begun."""

    async def note_overdue(self, policy_id: int, app_id: str, *, slot: datetime) -> bool:
        """Announce that the backup of a slot is overdue; False when that was announced before."""

    async def list_busy_nodes(self) -> Collection[str]:
        """List the nodes (`host/node`) on which a backup is being made."""

    async def list_policy_backups(self, policy_id: int, app_id: str) -> Sequence[Backup]:
        """List the backups that a policy made of an app that was not deleted, newest first."""
