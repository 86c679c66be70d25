"""Times of policies in tests: policies that were made long ago, and their next slots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from proximity.backups.v1 import policy_pb2

from services.backups.domain.schedules import parse_schedule
from services.backups.store.tables import backups, policies, policy_runs
from services.backups.usecases.scheduled_backups import list_covered_apps
from services.common.core.clock import now
from tests.unit.backups.platform import Platform

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def age_policies(platform: Platform) -> None:
    """Make all policies old, so that every slot of the present is theirs."""
    old = policies.update().values(applies_since=LONG_AGO, created_at=LONG_AGO, updated_at=LONG_AGO)
    runs = policy_runs.update().values(began_at=LONG_AGO)
    await platform.db.write(lambda connection: (connection.execute(old), connection.execute(runs)))
    await list_covered_apps(platform.dependencies, now=LONG_AGO)


async def date_backup(platform: Platform, backup_id: int, *, created_at: datetime) -> None:
    """Give a backup another time."""
    change = backups.update().where(backups.c.id == backup_id).values(created_at=created_at)
    await platform.db.write(lambda connection: connection.execute(change))


def find_slot(policy: policy_pb2.BackupPolicy, *, days: int = 0) -> datetime:
    """Return the first slot of a policy from now on, or `days` days later."""
    schedule = parse_schedule(policy.schedule, policy.time_zone)
    return schedule.find_next_slot(now() + timedelta(days=days))
