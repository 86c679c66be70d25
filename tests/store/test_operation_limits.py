"""Many operations at once, on both databases: within the limits, fair between users, none lost, none twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.common.core.clock import now
from services.common.db.database import Database, create_engine
from services.common.operations.queries import OperationLimits
from tests.databases import make_database
from tests.store.operations_queue import LOUD, METADATA, OPERATION, QUIET, TABLES, Named, Queue  # noqa: F401 - fixtures


@pytest.fixture(params=["sqlite", "postgresql"])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/operations.sqlite3"
    else:
        url = make_database(request.getfixturevalue("server"))
    engine = create_engine(url, service="public")
    METADATA.create_all(engine)
    db = Database(engine)
    yield Queue(db)
    await db.close()


async def test_a_node_carries_no_more_than_its_limit(queue: Queue) -> None:
    limits = OperationLimits(per_node=4)
    await queue.add(20)
    await queue.add(3, node="1/pve1 quick")
    await queue.add(20, node="1/pve2")
    claimed = await queue.claim(limits)
    assert Counter(one.id.split("-")[1] for one in claimed) == {"1/pve1": 4, "1/pve1 quick": 3, "1/pve2": 4}
    await queue.set(claimed[0], lease_until=None, status="waiting")
    assert len(await queue.claim(limits)) == 1, "what waits makes room"
    await queue.set(claimed[1], lease_until=None, status="undoing")
    await queue.set(claimed[2], lease_until=None, status="undoing")
    again = await queue.claim(limits)
    assert {claimed[1].id, claimed[2].id} <= {one.id for one in again}, "what is undone waits for nobody"
    await queue.set(again[0], lease_until=None, status="running")
    assert [one.id for one in await queue.claim(limits)] == [again[0].id], (
        "nor does what a dead worker had begun"
    )


async def test_a_storage_is_filled_by_no_more_than_its_limit(queue: Queue) -> None:
    for node in ("1/pve1", "1/pve2"):
        await queue.add(20, node=node, storage="1/shared")
    await queue.add(2, node="1/pve1", storage="2/shared")
    claimed = await queue.claim(OperationLimits(per_storage=3))
    assert Counter(one.id.split("-")[2] for one in claimed) == {"1/shared": 3, "2/shared": 2}


async def test_the_many_of_one_user_do_not_hold_up_the_one_of_another(queue: Queue) -> None:
    limits = OperationLimits(per_node=4)
    await queue.add(30)
    first, *_ = await queue.claim(limits)
    await queue.add(1, user=QUIET)
    await queue.set(first, lease_until=None, status="succeeded", finished_at=now())
    (one,) = await queue.claim(limits, most=1)
    assert one.id.startswith(f"{QUIET}-")


async def test_a_user_has_no_more_at_once_than_the_limit(queue: Queue) -> None:
    await queue.add(20)
    await queue.add(1, user=QUIET)
    claimed = await queue.claim(OperationLimits(per_user=3))
    assert Counter(one.requested_by for one in claimed) == {LOUD: 3, QUIET: 1}


async def test_two_hundred_at_once_are_done_once_each(queue: Queue) -> None:
    for number in range(4):
        await queue.add(50, user=number, node=f"1/pve{number % 2}", storage="1/shared")
    limits, wake = OperationLimits(per_node=4, per_storage=6, per_user=3), asyncio.Event()
    engines = [queue.engine(name, limits) for name in ("w1", "w2")]
    workers = [asyncio.create_task(engine.run_forever(wake)) for engine in engines]
    wake.set()
    async with asyncio.timeout(120):
        while await queue.count_unfinished():  # noqa: ASYNC110 - a database has no event
            await asyncio.sleep(0.05)
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert len(queue.done) == len(queue.ended) == 200
    assert set(queue.done.values()) == set(queue.ended.values()) == {1}


async def test_what_was_written_before_the_clock_was_set_back_is_not_waited_for(queue: Queue) -> None:
    await queue.add(3)
    dead, waiting, ahead = await queue.claim(OperationLimits(per_node=3))
    hour = now() + timedelta(hours=1)
    await queue.set(dead, lease_until=hour, status="running")
    await queue.set(waiting, lease_until=None, status="waiting", not_before=hour)
    # The clock of its worker is ahead, and it is at work.
    await queue.set(ahead, lease_until=now() + timedelta(seconds=98), status="running")
    assert {one.id for one in await queue.claim(OperationLimits(per_node=3))} == {dead.id, waiting.id}
