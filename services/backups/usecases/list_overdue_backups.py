"""ListOverdueBackups: backups that are overdue by the schedules of their policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.backups.domain.policies import BackupPolicy
from services.backups.domain.policy_store import PolicyStore
from services.backups.usecases.preview_backup_policy import find_overdue


@dataclass(frozen=True)
class OverdueBackup:
    """The newest run of a policy for an app that should have given a backup by now."""

    app_id: str
    policy: BackupPolicy
    since: datetime


async def list_overdue_backups(policies: PolicyStore, *, now: datetime) -> list[OverdueBackup]:
    """List what is overdue, by app and time.

    Computed from schedules and backups in the process that answers, so that a worker that stands still is noticed.
    """
    limits = await policies.get_limits()
    # Policies that make no backups now cannot be late.
    by_id = {policy.id: policy for policy in await policies.list_policies() if limits.lets_run(policy)}
    good, found = await policies.list_covered(), []
    for (policy_id, app_id), run in (await policies.list_runs()).items():
        if policy := by_id.get(policy_id):
            covered = good.get((policy_id, app_id))
            since = find_overdue(policy, app_id, run=run, covered=covered, now=now)
            if since is not None:
                found.append(OverdueBackup(app_id, policy, since))
    return sorted(found, key=lambda one: (one.app_id, one.since))
