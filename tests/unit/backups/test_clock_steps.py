"""Policies while the machine's clock is set, with clocks that differ, and with zone data that lost a zone."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.backups.store.tables import backups, policies
from services.backups.usecases.scheduled_backups import start_due_backups
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, Platform
from tests.unit.backups.policy_clock import LONG_AGO, age_policies

BEGIN = datetime(2027, 3, 10, tzinfo=UTC)
TICK = timedelta(minutes=5)
HOUR = timedelta(hours=1)


async def list_slots(platform: Platform) -> list[str]:
    """Run what was begun, and return the ids of the operations of all backups: each is that of a slot."""
    await platform.run_all()
    query = sa.select(backups.c.mark).order_by(backups.c.id)
    return list(await platform.db.read(lambda connection: connection.execute(query).scalars().all()))


def name_slots(policy_id: int, *hours: int) -> list[str]:
    """Return the ids of the operations of the slots at half past some hours."""
    slots = [BEGIN + timedelta(hours=hour, minutes=30) for hour in hours]
    names = [f"{policy_id}/{APP.app_id}/{slot.isoformat()}" for slot in slots]
    return [hashlib.sha256(name.encode()).hexdigest()[:32] for name in names]


@pytest.mark.parametrize(
    ("steps", "hours"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({22: HOUR}, [0, 1, 2, 3, 4, 5, 6]),  # 2:30 is made up
        ({24: HOUR}, [0, 1, 3, 4, 5, 6]),  # the next one is nearer than 2:30
        ({24: -HOUR}, [0, 1, 2, 3, 4]),  # 1:30 comes again and is not backed up again
        ({24: HOUR, 30: -HOUR}, [0, 1, 3, 4, 5]),
        ({24: -HOUR, 30: HOUR}, [0, 1, 2, 3, 4, 5]),
        ({23: HOUR, 24: -HOUR, 25: HOUR, 26: -HOUR}, [0, 1, 2, 3, 4, 5]),
    ],
)
async def test_each_slot_runs_once_however_the_clock_is_set(
    platform: Platform, steps: dict[int, timedelta], hours: list[int]
) -> None:
    policy = await platform.add_policy(schedule="30 * * * *", time_zone="UTC")
    await age_policies(platform)
    clock = BEGIN
    for tick in range(72):  # six hours
        clock += TICK + steps.get(tick, timedelta(0))
        await start_due_backups(platform.dependencies, now=clock)
        await platform.run_all()
    assert await list_slots(platform) == name_slots(policy.id, *hours)


async def test_the_run_after_a_wrong_clock_is_the_next_slot_that_was_not_begun(platform: Platform) -> None:
    await platform.add_policy(schedule="30 * * * *", time_zone="UTC")
    await age_policies(platform)
    assert await start_due_backups(platform.dependencies, now=BEGIN + timedelta(minutes=35)) == 1
    assert await start_due_backups(platform.dependencies, now=BEGIN) == 0
    await platform.run_all()
    assert await start_due_backups(platform.dependencies, now=BEGIN + timedelta(minutes=30)) == 0
    assert await start_due_backups(platform.dependencies, now=BEGIN + timedelta(minutes=90)) == 1


@pytest.mark.parametrize("apart", [timedelta(seconds=90), timedelta(seconds=-90)])
async def test_workers_with_clocks_90_seconds_apart_begin_a_slot_once(
    platform: Platform, apart: timedelta
) -> None:
    await platform.add_policy(schedule="30 * * * *", time_zone="UTC")
    await age_policies(platform)
    begun: Counter[bool] = Counter()
    for tick in range(60):  # half an hour, in which the slot comes, in steps of half a minute
        clock = BEGIN + timedelta(minutes=15) + tick * timedelta(seconds=30)
        counts = await asyncio.gather(
            start_due_backups(platform.dependencies, now=clock),
            start_due_backups(platform.dependencies, now=clock + apart),
        )
        begun[any(counts)] += 1
        await platform.run_all()
    made = await list_slots(platform)
    assert len(made) == len(set(made)) == 1
    assert begun[True] >= 1


async def test_a_zone_that_is_gone_stops_no_policy(platform: Platform) -> None:
    broken = await platform.add_policy(time_zone="Europe/Rome")
    await platform.add_policy(name="other", time_zone="Europe/Rome")
    await age_policies(platform)
    change = policies.update().where(policies.c.id == broken.id).values(time_zone="US/Pacific-New")
    await platform.db.write(lambda connection: connection.execute(change))
    found = {one.settings.name: one for one in await platform.dependencies.policies.list_policies()}
    assert {name: one.settings.time_zone for name, one in found.items()} == {
        "nightly": "UTC",
        "other": "Europe/Rome",
    }
    # 03:00 in Rome is 02:00 in UTC, an hour before the other one.
    assert await start_due_backups(platform.dependencies, now=LONG_AGO + timedelta(days=9, hours=2)) == 1
    await platform.run_all()
    assert await start_due_backups(platform.dependencies, now=LONG_AGO + timedelta(days=9, hours=3)) == 1
    await platform.run_all()
    made = await platform.list_all(ADMIN)
    assert len(made) == 2
