"""Policies of backups: reading, changing, and a preview of what they do."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.errors import PolicyInvalidError
from services.backups.domain.policies import BackupPolicy, PolicyRun, PolicySettings, check_one_host
from services.backups.domain.policy_store import PolicyStore
from services.backups.domain.retention import Mark, StoredArchive, mark_removable
from services.backups.domain.schedules import find_overdue_slot
from services.backups.usecases.context import BackupDependencies
from services.common.core.errors import NotFoundError, Violation

_SHOWN_RUNS = 5  # enough to see a week of working days


@dataclass(frozen=True)
class AppPreview:
    """Retention of one app as the policy is now: ids of backups, and the newest slot that is overdue."""

    app_id: str
    keeps: tuple[int, ...]
    removes: tuple[int, ...]
    overdue_since: datetime | None


@dataclass(frozen=True)
class PolicyPreview:
    """The next runs of a policy, in its time zone, and its retention by app."""

    time_zone: str
    next_runs: tuple[datetime, ...]
    apps: tuple[AppPreview, ...]


async def list_backup_policies(policies: PolicyStore) -> Sequence[BackupPolicy]:
    """List all policies by name."""
    return await policies.list_policies()


async def get_backup_policy(policies: PolicyStore, policy_id: int) -> BackupPolicy:
    """Return one policy.

    Raises:
        PolicyNotFoundError: there is none.
    """
    return await policies.get_policy(policy_id)


async def create_backup_policy(dependencies: BackupDependencies, settings: PolicySettings) -> BackupPolicy:
    """Add a policy for apps that exist.

    Raises:
        PolicyInvalidError: it names no app, or one that does not exist.
        PolicyHostsError: it names a storage for apps of several hosts.
        PolicyNameTakenError, PolicyLimitError: as the store says.
    """
    await _check_apps(dependencies, settings)
    return await dependencies.policies.add_policy(settings)


async def update_backup_policy(
    dependencies: BackupDependencies,
    policy_id: int,
    *,
    changes: Mapping[str, Any],
    keeps: Mapping[str, int],
) -> BackupPolicy:
    """Change the settings named in `changes`, and the rules of the retention named in `keeps`.

    Raises:
        PolicyNotFoundError: there is none.
        ScheduleInvalidError, RetentionInvalidError: the new settings are not valid.
        PolicyInvalidError, PolicyHostsError: as `create_backup_policy`, for new apps.
        PolicyNameTakenError: another one has the name.
    """
    policy = await dependencies.policies.get_policy(policy_id)
    retention = replace(policy.settings.retention, **keeps)
    settings = replace(policy.settings, retention=retention, **changes)
    if "app_ids" in changes:
        await _check_apps(dependencies, settings)
    return await dependencies.policies.update_policy(policy, settings)


async def delete_backup_policy(policies: PolicyStore, policy_id: int) -> None:
    """Delete a policy; the backups that it made stay.

    Raises:
        PolicyNotFoundError: there is none.
    """
    await policies.delete_policy(policy_id)


async def preview_backup_policy(policies: PolicyStore, policy_id: int, *, now: datetime) -> PolicyPreview:
    """Return the next runs of a policy, and what its retention keeps and removes of the backups that exist now.

    Raises:
        PolicyNotFoundError: there is none.
    """
    policy = await policies.get_policy(policy_id)
    schedule = policy.settings.parse_schedule()
    runs = await policies.begin_runs(policy, now=now)
    apps = [await _preview_app(policies, policy, app_id, run=run, now=now) for app_id, run in runs.items()]
    slots = itertools.islice(schedule.list_slots(now), _SHOWN_RUNS)
    local = tuple(slot.astimezone(schedule.zone) for slot in slots)
    return PolicyPreview(policy.settings.time_zone, local if policy.settings.enabled else (), tuple(apps))


def mark_backups(policy: BackupPolicy, backups: Sequence[Backup]) -> dict[int, Mark]:
    """Mark the completed backups of one app by the retention of the policy that made them, by id."""
    archives = [
        StoredArchive(id=one.id, made_at=one.created_at, is_protected=one.protected)
        for one in backups
        if one.status is BackupStatus.COMPLETED
    ]
    return mark_removable(archives, policy.settings.retention, policy.settings.parse_schedule().zone)


def find_overdue(
    policy: BackupPolicy, app_id: str, *, run: PolicyRun, backups: Sequence[Backup], now: datetime
) -> datetime | None:
    """Find the newest slot of an app whose backup is overdue; None for a disabled policy."""
    if not policy.settings.enabled:
        return None
    good = (one.created_at for one in backups if one.completed_at is not None)
    covered = max(policy.applies_since, run.began_at, *good)
    return find_overdue_slot(policy.settings.parse_schedule(), app_id, covered_since=covered, now=now)


async def _preview_app(
    policies: PolicyStore, policy: BackupPolicy, app_id: str, *, run: PolicyRun, now: datetime
) -> AppPreview:
    backups = await policies.list_policy_backups(policy.id, app_id)
    marks = mark_backups(policy, backups)
    return AppPreview(
        app_id,
        tuple(sorted(one for one, mark in marks.items() if mark is not Mark.REMOVE)),
        tuple(sorted(one for one, mark in marks.items() if mark is Mark.REMOVE)),
        find_overdue(policy, app_id, run=run, backups=backups, now=now),
    )


async def _check_apps(dependencies: BackupDependencies, settings: PolicySettings) -> None:
    if not settings.app_ids:
        raise _refuse("a policy needs at least one app; name the ids of apps")
    host_ids = []
    for app_id in settings.app_ids:
        try:
            app = await dependencies.apps.get_app_hold(app_id, user_id=None)
        except NotFoundError as error:
            raise _refuse(f"there is no app {app_id!r}; take it off the list") from error
        host_ids.append(app.host_id)
    check_one_host(settings.order.storage, host_ids)


def _refuse(problem: str) -> PolicyInvalidError:
    return PolicyInvalidError(f"app_ids: {problem}", violations=[Violation("app_ids", problem)])
