"""A workflow ends, forward or undone, whatever fails and wherever a worker dies."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.common.core.clock import now
from services.common.core.errors import (
    DeadlineError,
    DomainError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionError,
    TransientError,
)
from services.common.operations.model import WaitError
from services.common.operations.store import LeaseLostError
from tests.unit.common.operations_world import METADATA, OPERATION, TABLES, Made, World, world  # noqa: F401 - fixtures


async def test_steps_run_in_order_and_commit_their_changes(world: World) -> None:
    await world.add()
    await world.run()
    row = await world.row()
    assert (row.status, row.progress, row.finished_at is not None) == ("succeeded", 100, True)
    assert world.things == ["one", "two", "three"]
    assert world.changes == ["did one", "did two", "did three", ("succeeded", ("one", "two", "three"))]
    assert await world.steps() == [("done", 1)] * 3


async def test_a_passing_failure_is_tried_again(world: World) -> None:
    world.faults["two.before"] = [TransientError("flaky"), TransientError("flaky")]
    await world.add()
    await world.run()
    assert (await world.row()).status == "succeeded"
    assert await world.steps() == [("done", 1), ("done", 3), ("done", 1)]


async def test_a_failure_that_stays_is_undone_backwards(world: World) -> None:
    world.faults["three.after"] = [TransientError("down")] * 3
    await world.add()
    await world.run()
    row = await world.row()
    assert (row.status, row.error) == ("failed", "Doing three: down")
    assert world.things == []
    assert world.changes[-1] == ("failed", "Doing three: down", False)


async def test_what_cannot_get_better_is_not_tried_again(world: World) -> None:
    world.faults["two.before"] = [PreconditionError("no such template")]
    await world.add()
    await world.run()
    assert (await world.row()).status == "failed"
    assert (await world.steps())[1] == ("failed", 1)


async def test_waiting_is_not_an_attempt(world: World) -> None:
    world.faults["one.before"] = [WaitError("the node is busy", delay=0.001) for _ in range(5)]
    await world.add()
    for _ in range(5):
        await world.run()
        row = await world.row()
        assert (row.status, row.waiting_for, row.lease_until) == ("waiting", "the node is busy", None)
        await world.expire_leases()
    await world.run()
    assert (await world.row()).status == "succeeded"
    assert (await world.steps())[0] == ("done", 1)


@pytest.mark.parametrize(
    "point", ["one.before", "one.after", "two.before", "two.after", "three.before", "three.after"]
)
async def test_a_worker_that_dies_is_replaced(world: World, point: str) -> None:
    world.faults[point] = [LeaseLostError("killed")]  # the worker writes nothing more
    await world.add()
    await world.run("w1")
    assert (await world.row()).finished_at is None
    await world.expire_leases()
    await world.run("w2")
    assert (await world.row()).status == "succeeded"
    assert world.things == ["one", "two", "three"]


@pytest.mark.parametrize("point", ["three.undo", "two.undo", "one.undo"])
async def test_a_worker_that_dies_while_undoing_is_replaced(world: World, point: str) -> None:
    world.faults["three.after"] = [PreconditionError("no")]
    world.faults[point] = [LeaseLostError("killed")]
    await world.add()
    await world.run("w1")
    await world.expire_leases()
    await world.run("w2")
    assert (await world.row()).status == "failed"
    assert world.things == []


async def test_cleaning_up_that_fails_is_visible_and_tried_again(world: World) -> None:
    world.faults["two.before"] = [PreconditionError("no")]
    world.faults["one.undo"] = [TransientError("Proxmox is down")]
    await world.add()
    await world.run()
    row = await world.row()
    assert (row.status, row.finished_at) == ("undoing", None)
    assert "Proxmox is down" in row.waiting_for
    await world.expire_leases()
    await world.run()
    assert (await world.row()).status == "failed"
    assert world.things == []


@pytest.mark.parametrize("days", [1, 3])
async def test_cleaning_up_waits_for_long_but_not_for_ever(world: World, days: int) -> None:
    world.faults["two.before"] = [PreconditionError("no")]
    world.faults["one.undo"] = [WaitError("Proxmox", delay=0.0) for _ in range(25)]
    await world.add()
    began = TABLES.operations.update().values(started_at=now() - timedelta(days=days))
    await world.db.write(lambda connection: connection.execute(began))
    for _ in range(22):
        await world.expire_leases()
        if (operation := await world.store.claim_next("w1")) is not None:
            await world.engine().run(operation)
    row = await world.row()
    assert (row.status, row.undo_attempts) == (("undoing", 0) if days == 1 else ("dead", 20))
    assert "Proxmox" in row.waiting_for


async def test_an_end_that_cannot_be_written_is_tried_again_but_not_for_ever(world: World) -> None:
    await world.add()
    world.broken = "succeeded"
    for _ in range(22):
        await world.expire_leases()
        if (operation := await world.store.claim_next("w1")) is not None:
            await world.engine().run(operation)
    row = await world.row()
    assert (row.status, row.undo_attempts) == ("dead", 20)
    assert f"internal error; the worker's log has more under {row.id}" in row.waiting_for


async def test_a_worker_that_lost_its_lease_writes_nothing(world: World) -> None:
    await world.add()
    old = await world.store.claim_next("w1")
    await world.expire_leases()
    new = await world.store.claim_next("w2")
    assert old is not None
    assert new is not None
    assert new.fence == old.fence + 1
    with pytest.raises(LeaseLostError):
        await world.store.update(old, {"status": "failed"})
    await world.engine("w1").run(old)
    assert (await world.row()).worker == "w2"
    assert world.changes == []


async def test_a_subject_has_one_unfinished_operation(world: World) -> None:
    await world.add("first")
    with pytest.raises(sa.exc.IntegrityError):
        await world.add("second")
    await world.run()
    await world.add("second")


async def test_cancelling_undoes(world: World) -> None:
    await world.add()
    await world.db.write(
        lambda connection: connection.execute(TABLES.operations.update().values(cancel_requested=True))
    )
    await world.run()
    assert (await world.row()).status == "cancelled"
    assert world.changes[-1] == ("failed", "cancelled by request", True)


async def test_a_cancellation_is_noticed_between_steps_however_fast_they_are(world: World) -> None:
    await world.add()
    operation = await world.store.claim_next("w1")
    assert operation is not None
    await world.db.write(
        lambda connection: connection.execute(TABLES.operations.update().values(cancel_requested=True))
    )
    await world.engine().run(operation)
    assert (await world.row()).status == "cancelled"
    assert world.things == []
    assert "did one" not in world.changes


async def test_a_deadline_of_another_service_is_no_failure_that_stays(world: World) -> None:
    world.faults["two.after"] = [DeadlineError("apps took too long") for _ in range(10)]
    await world.add()
    for _ in range(10):
        await world.run()
        assert (await world.row()).waiting_for == "apps took too long"
        await world.expire_leases()
    await world.run()
    assert (await world.row()).status == "succeeded"


@pytest.mark.parametrize("cancellable", [True, False])
async def test_a_wait_ends_with_the_time_of_the_operation_and_names_what_was_waited_for(
    world: World, *, cancellable: bool
) -> None:
    world.cancellable = cancellable
    world.faults["two.before"] = [WaitError("the host pve", delay=0.0) for _ in range(3)]
    await world.add()
    await world.run()
    assert (await world.row()).status == "waiting"
    began = TABLES.operations.update().values(started_at=now() - timedelta(days=2))
    await world.db.write(lambda connection: connection.execute(began))
    await world.expire_leases()
    await world.run()
    row = await world.row()
    assert row.status == "failed"
    assert row.error == "Doing two: it took longer than 24.0 hours; it waited for: the host pve"
    assert world.things == []


async def test_what_waits_ends_at_once_when_it_is_cancelled(world: World) -> None:
    world.faults["two.before"] = [WaitError("the host pve", delay=3600.0)]
    await world.add()
    await world.run()
    cancel = TABLES.operations.update().values(cancel_requested=True, not_before=now())
    await world.db.write(lambda connection: connection.execute(cancel))
    await world.run()
    assert (await world.row()).status == "cancelled"
    assert world.things == []


@pytest.mark.parametrize("refusal", [ForbiddenError, NotFoundError, InvalidError])
async def test_undoing_that_is_refused_for_good_is_not_tried_again(
    world: World, refusal: type[DomainError]
) -> None:
    world.faults["three.after"] = [PreconditionError("no")]
    world.faults["two.undo"] = [refusal("container 105 is not ours")]
    await world.add()
    await world.run()
    row = await world.row()
    assert (row.status, row.error) == ("failed", "Doing three: no")
    assert world.things == ["two"], "the other steps are undone"
    assert ("error", "Doing two was not undone: container 105 is not ours") in world.lines
    assert [status for status, _ in await world.steps()] == ["undone", "failed", "failed"]


async def test_whoever_publishes_is_told_when_an_operation_is_over(world: World) -> None:
    await world.add()
    told, wake = asyncio.Event(), asyncio.Event()
    wake.set()
    worker = asyncio.create_task(world.engine(on_message=told.set).run_forever(wake))
    try:
        await asyncio.wait_for(told.wait(), 30)
        assert (await world.row()).status == "succeeded"
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
