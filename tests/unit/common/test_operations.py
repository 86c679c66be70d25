"""A workflow ends, forward or undone, whatever fails and wherever a worker dies."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.common.core.clock import now
from services.common.core.errors import DeadlineError, PreconditionError
from services.common.db.database import Database, create_engine
from services.common.operations.engine import Engine
from services.common.operations.model import (
    ClaimedOperation,
    Context,
    LeaseLostError,
    NewOperation,
    Step,
    StepResult,
    TransientError,
    WaitError,
    Workflow,
)
from services.common.operations.store import SqlOperationStore
from services.common.operations.tables import add_operation, define_tables

METADATA = sa.MetaData()
TABLES = define_tables(METADATA)
OPERATION = TABLES.operations.c


@dataclasses.dataclass(frozen=True)
class Made:
    """State of the test's workflow."""

    names: tuple[str, ...] = ()


class World:
    """What the workflow works on, and what it was told to do wrong."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.things: list[str] = []
        self.changes: list[Any] = []
        self.lines: list[tuple[str, str]] = []
        self.faults: dict[str, list[BaseException]] = {}
        self.broken = ""  # the change that cannot be written
        self.store = SqlOperationStore(db, TABLES, self._apply, self._log)

    def _apply(self, _connection: sa.Connection, _operation: ClaimedOperation, change: Any) -> None:
        if self.broken and self.broken in change:
            raise ZeroDivisionError
        self.changes.append(change)

    def _log(
        self, _connection: sa.Connection, _operation: ClaimedOperation, level: str, message: str, _step: str
    ) -> None:
        self.lines.append((level, message))

    def step(self, name: str) -> Step:
        async def run(state: Made, ctx: Context) -> StepResult:
            await self._fail(f"{name}.before")
            if name not in self.things:  # look before you act
                self.things.append(name)
            await self._fail(f"{name}.after")
            await ctx.note_upid(f"UPID:{name}")
            return StepResult(Made((*state.names, name)), (f"did {name}",))

        async def undo(state: Made, _ctx: Context) -> Made:
            await self._fail(f"{name}.undo")
            if name in self.things:
                self.things.remove(name)
            return state

        return Step(name, f"Doing {name}", run, undo)

    async def _fail(self, point: str) -> None:
        if self.faults.get(point):
            raise self.faults[point].pop(0)

    def engine(self, worker: str = "w1", *, on_message: Callable[[], None] = lambda: None) -> Engine:
        workflow = Workflow(
            "make",
            tuple(self.step(name) for name in ("one", "two", "three")),
            Made,
            lambda state: (("succeeded", tuple(state.names)),),
            lambda state, error, cancelled: (("failed", error, cancelled),),
        )
        return Engine(self.store, {"make": workflow}, worker, retry_s=0.001, on_message=on_message)

    async def add(self, operation_id: str = "op", subject: str = "app") -> None:
        steps = tuple((name, f"Doing {name}") for name in ("one", "two", "three"))
        new = NewOperation(operation_id, subject, "make", {}, steps)
        await self.db.write(lambda connection: add_operation(connection, TABLES, new))

    async def run(self, worker: str = "w1") -> None:
        operation = await self.store.claim_next(worker)
        assert operation is not None
        await self.engine(worker).run(operation)

    async def expire_leases(self) -> None:
        await self.db.write(
            lambda connection: connection.execute(
                TABLES.operations.update().values(lease_until=None, not_before=OPERATION.created_at)
            )
        )

    async def row(self) -> sa.Row[Any]:
        return await self.db.read(lambda connection: connection.execute(sa.select(TABLES.operations)).one())

    async def steps(self) -> list[tuple[str, int]]:
        query = sa.select(TABLES.steps.c.status, TABLES.steps.c.attempts).order_by(TABLES.steps.c.position)
        rows = await self.db.read(lambda connection: connection.execute(query).all())
        return [(row.status, row.attempts) for row in rows]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    engine = create_engine(f"sqlite:///{tmp_path}/operations.sqlite3", service="test")
    METADATA.create_all(engine)
    db = Database(engine)
    yield World(db)
    await db.close()


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
    world.faults["two.after"] = [DeadlineError("apps took too long")]
    await world.add()
    await world.run()
    assert (await world.row()).status == "succeeded"


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
