"""PreviewBackupPolicy and PreviewNewBackupPolicy: the next runs, and what retention does to the backups that exist now."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.policies import BackupPolicy, PolicyRun, PolicySettings
from services.backups.domain.restore_tests import RestoreTestStatus
from services.backups.domain.retention import Mark, StoredArchive, mark_removable
from services.backups.domain.schedules import find_overdue_slot
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.policies import check_policy
from services.backups.usecases.policy_checks import list_storage_warnings

_NOT_STORED = 0  # the database numbers policies from 1, so no runs and backups are found for it
_SHOWN_RUNS = 5  # enough to see a week of working days


@dataclass(frozen=True, kw_only=True)
class AppPreview:
    """Retention of one app as the policy is now.

    Attributes:
        keeps, removes: ids of backups.
        overdue_since: the newest slot whose backup is overdue.
        waiting_for: what holds up the run that is due; empty: nothing.
    """

    app_id: str
    keeps: tuple[int, ...]
    removes: tuple[int, ...]
    overdue_since: datetime | None
    waiting_for: str


@dataclass(frozen=True, kw_only=True)
class PolicyPreview:
    """The next runs of a policy, in its time zone, its retention by app, and what may hinder it."""

    time_zone: str
    next_runs: tuple[datetime, ...]
    apps: tuple[AppPreview, ...]
    warnings: tuple[str, ...]


async def preview_backup_policy(
    dependencies: BackupDependencies, requester: BackupRequester, *, policy_id: int, now: datetime
) -> PolicyPreview:
    """Return the next runs of a policy, and what its retention keeps and removes of the backups that exist now.

    It changes nothing: an app that no run was recorded of counts from now on.

    Raises:
        PolicyNotFoundError: there is none that the requester may see.
    """
    policy = await dependencies.policies.get_policy(policy_id, owner_id=requester.owner_id)
    return await _preview(dependencies, policy, now=now)


async def preview_new_backup_policy(
    dependencies: BackupDependencies, requester: BackupRequester, *, settings: PolicySettings, now: datetime
) -> PolicyPreview:
    """Return the next runs of settings that are not stored, and what their retention would keep and remove now.

    Under the name of a policy of the same owner they are a change of that policy, over the backups that it made.

    Raises:
        As `create_backup_policy`, but for the name.
    """
    policies = dependencies.policies
    # Administrators see the policies of users too, which may have the same names.
    own = (
        one
        for one in await policies.list_policies(owner_id=requester.owner_id)
        if one.owner_id == requester.owner_id
    )
    policy = next((one for one in own if one.settings.name == settings.name), None)
    limits = await policies.get_limits()
    await check_policy(dependencies, settings, owner_id=requester.owner_id, limits=limits, policy=policy)
    if policy is not None:
        since = policy.applies_since if settings.runs_as(policy.settings) else now
        changed = replace(policy, settings=settings, applies_since=since)
        return await _preview(dependencies, changed, now=now)
    await policies.check_number(
        owner_id=requester.owner_id, limits=None if requester.owner_id is None else limits
    )
    new = BackupPolicy(
        id=_NOT_STORED,
        settings=settings,
        owner_id=requester.owner_id,
        applies_since=now,
        new_apps_since=now if settings.scope.new_apps else None,
        created_at=now,
        updated_at=now,
    )
    return await _preview(dependencies, new, now=now)


async def _preview(dependencies: BackupDependencies, policy: BackupPolicy, *, now: datetime) -> PolicyPreview:
    policies = dependencies.policies
    apps = [app for app in await dependencies.apps.list_app_holds() if policy.covers(app)]
    runs, backups = await policies.find_runs(policy.id), await policies.list_policy_backups(policy.id)
    schedule = policy.settings.parse_schedule()
    works = (await policies.get_limits()).lets_run(policy)
    slots = itertools.islice(schedule.list_slots(now), _SHOWN_RUNS if works else 0)
    local = tuple(slot.astimezone(schedule.zone) for slot in slots)
    return PolicyPreview(
        time_zone=policy.settings.time_zone,
        # In the zone of the schedule: `0 3 * * *` is to read as three o'clock, whatever zone the server has.
        next_runs=local,
        apps=tuple(
            _preview_app(
                policy,
                app.app_id,
                run=runs.get(app.app_id, PolicyRun(began_at=now)),
                backups=backups.get(app.app_id, ()),
                now=now,
            )
            for app in apps
        ),
        warnings=tuple(await list_storage_warnings(dependencies, policy.settings, apps=apps)),
    )


def mark_backups(policy: BackupPolicy, backups: Sequence[Backup]) -> dict[int, Mark]:
    """Mark the completed backups of one app by the retention of the policy that made them, by id.

    Those on the second storage are marked by themselves, as each storage is to have what the policy keeps.
    """
    return {
        each: mark for part in split_copies(backups) for each, mark in _mark_storage(policy, part).items()
    }


def split_copies(backups: Sequence[Backup]) -> tuple[list[Backup], list[Backup]]:
    """Return the backups on the first storage and those on the second one, in their order."""
    first = [one for one in backups if one.copy_of is None]
    return first, [one for one in backups if one.copy_of is not None]


def _mark_storage(policy: BackupPolicy, backups: Sequence[Backup]) -> dict[int, Mark]:
    archives = [
        StoredArchive(
            id=one.id,
            made_at=one.created_at,
            is_protected=one.protected,
            is_tested=one.restore_test.status is RestoreTestStatus.PASSED,
        )
        for one in backups
        # Failed, missing and broken ones cannot be restored: counted, they would take the places of good ones.
        if one.status is BackupStatus.COMPLETED and not one.is_broken
    ]
    return mark_removable(archives, policy.settings.retention, zone=policy.settings.parse_schedule().zone)


def find_overdue(
    policy: BackupPolicy, app_id: str, *, run: PolicyRun, covered: datetime | None, now: datetime
) -> datetime | None:
    """Find the newest slot of an app whose backup is overdue; None for a disabled policy.

    Args:
        policy: the policy.
        app_id: of the app.
        run: its standing under the policy.
        covered: when the newest good backup that the policy made of it was requested.
        now: the current time.
    """
    if not policy.settings.enabled:
        return None
    since = max(policy.applies_since, run.began_at, *([covered] if covered else []))
    return find_overdue_slot(policy.settings.parse_schedule(), app_id, covered_since=since, now=now)


def _preview_app(
    policy: BackupPolicy, app_id: str, *, run: PolicyRun, backups: Sequence[Backup], now: datetime
) -> AppPreview:
    marks = mark_backups(policy, backups)
    good = [one.created_at for one in backups if one.is_good and one.copy_of is None]
    return AppPreview(
        app_id=app_id,
        keeps=tuple(sorted(one for one, mark in marks.items() if mark is not Mark.REMOVE)),
        removes=tuple(sorted(one for one, mark in marks.items() if mark is Mark.REMOVE)),
        overdue_since=find_overdue(policy, app_id, run=run, covered=max(good, default=None), now=now),
        waiting_for=run.waiting_for,
    )
