"""Repeated work: once over all replicas, or in every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.db.database import Database, create_engine
from services.common.messaging.schedule import Periodic, SqlSchedules, define_table

METADATA = sa.MetaData()
SCHEDULES = define_table(METADATA)
HOUR = timedelta(hours=1)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    engine = create_engine(f"sqlite:///{tmp_path}/schedules.sqlite3", service="test")
    METADATA.create_all(engine)
    database = Database(engine)
    yield database
    await database.close()


async def make_due(db: Database, name: str) -> None:
    query = (
        SCHEDULES.update().where(SCHEDULES.c.name == name).values(next_run_at=now() - timedelta(seconds=1))
    )
    await db.write(lambda connection: connection.execute(query))


@asynccontextmanager
async def running(*work: Periodic, schedules: SqlSchedules) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(each.run(schedules)) for each in work]
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_schedule_is_claimed_by_one_of_many_once_per_interval(db: Database) -> None:
    replicas = [SqlSchedules(db, SCHEDULES) for _ in range(5)]
    assert not any([await each.claim("prune", interval=HOUR) for each in replicas])
    await make_due(db, "prune")
    claims = await asyncio.gather(*(each.claim("prune", interval=HOUR) for each in replicas))
    assert sorted(claims) == [False, False, False, False, True]
    assert not any([await each.claim("prune", interval=HOUR) for each in replicas])


async def test_schedules_do_not_delay_each_other(db: Database) -> None:
    schedules = SqlSchedules(db, SCHEDULES)
    for name in ("prune", "reconcile"):
        await schedules.claim(name, interval=HOUR)
    await make_due(db, "prune")
    assert not await schedules.claim("reconcile", interval=HOUR)
    assert await schedules.claim("prune", interval=HOUR)


async def test_work_of_every_process_runs_at_the_start_of_each(db: Database) -> None:
    runs: list[str] = []
    both = asyncio.Event()

    def plan(process: str) -> Periodic:
        async def run() -> None:
            runs.append(process)
            if len(runs) == 2:
                both.set()

        return Periodic(name="refresh", interval=HOUR, function=run, in_every_process=True)

    async with running(plan("one"), plan("two"), schedules=SqlSchedules(db, SCHEDULES)):
        await asyncio.wait_for(both.wait(), 10)
    assert sorted(runs) == ["one", "two"]


async def test_a_trigger_starts_the_next_run_at_once(db: Database) -> None:
    runs: asyncio.Queue[None] = asyncio.Queue()

    async def run() -> None:
        runs.put_nowait(None)

    work = Periodic(name="refresh", interval=HOUR, function=run, in_every_process=True)
    async with running(work, schedules=SqlSchedules(db, SCHEDULES)):
        await asyncio.wait_for(runs.get(), 10)
        work.trigger.set()
        await asyncio.wait_for(runs.get(), 10)


async def test_a_run_that_fails_is_repeated_and_ends_nothing(db: Database) -> None:
    tries = 0
    done = asyncio.Event()

    async def run() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UnavailableError("the catalog does not answer")
        done.set()

    work = Periodic(name="refresh", interval=HOUR, function=run, in_every_process=True, retry_s=0.01)
    async with running(work, schedules=SqlSchedules(db, SCHEDULES)):
        await asyncio.wait_for(done.wait(), 10)
    assert tries == 3


async def test_a_bug_ends_the_process_instead_of_being_repeated_unseen(db: Database) -> None:
    async def run() -> None:
        raise ZeroDivisionError

    work = Periodic(name="refresh", interval=HOUR, function=run, in_every_process=True)
    async with running(work, schedules=SqlSchedules(db, SCHEDULES)) as (task,):
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(task, 10)


class SetClock:
    """A clock that goes as the test says."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time


async def test_a_clock_that_is_set_back_stops_no_schedule(db: Database) -> None:
    clock, minute = SetClock(), timedelta(minutes=1)
    schedules = SqlSchedules(db, SCHEDULES, clock=clock)
    await schedules.claim("policies", interval=minute)
    for step in (HOUR, -HOUR, -HOUR, HOUR):
        clock.time += step
        assert await schedules.claim("policies", interval=minute), step
        clock.time += minute / 2
        assert not await schedules.claim("policies", interval=minute)
        clock.time += minute
        assert await schedules.claim("policies", interval=minute)


async def test_replicas_with_clocks_90_seconds_apart_do_not_run_twice_as_often(db: Database) -> None:
    clock, interval = SetClock(), timedelta(seconds=30)
    behind = SqlSchedules(db, SCHEDULES, clock=clock)
    ahead = SqlSchedules(db, SCHEDULES, clock=lambda: clock() + timedelta(seconds=90))
    runs = 0
    for _ in range(60):  # ten minutes
        clock.time += timedelta(seconds=10)
        for each in (behind, ahead):
            runs += await each.claim("policies", interval=interval)
    assert 18 <= runs <= 20
