"""A workflow over things in memory, whose steps fail as a test wants."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.common.db.database import Database, create_engine
from services.common.operations.engine import Engine
from services.common.operations.model import (
    ClaimedOperation,
    Context,
    NewOperation,
    Step,
    StepResult,
    Workflow,
)
from services.common.operations.store import LogLine, SqlOperationStore
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
        self.cancellable = True
        self.broken = ""  # the change that cannot be written
        self.store = SqlOperationStore(db, TABLES, apply=self._apply, log=self._log)

    def _apply(self, _connection: sa.Connection, change: Any) -> None:
        if self.broken and self.broken in change:
            raise ZeroDivisionError
        self.changes.append(change)

    def _log(self, _connection: sa.Connection, _operation: ClaimedOperation, *, line: LogLine) -> None:
        self.lines.append((line.level, line.message))

    def step(self, name: str) -> Step[Made]:
        async def run(state: Made, ctx: Context) -> StepResult[Made]:
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

        return Step(name, f"Doing {name}", run, undo, cancellable=self.cancellable)

    async def _fail(self, point: str) -> None:
        if self.faults.get(point):
            raise self.faults[point].pop(0)

    def engine(self, worker: str = "w1", *, on_message: Callable[[], None] = lambda: None) -> Engine:
        workflow = Workflow(
            "make",
            tuple(self.step(name) for name in ("one", "two", "three")),
            Made,
            lambda state: (("succeeded", tuple(state.names)),),
            lambda _state, failure: (("failed", failure.error, failure.cancelled),),
        )
        return Engine(self.store, {"make": workflow}, worker=worker, retry_s=0.001, on_message=on_message)

    async def add(self, operation_id: str = "op", subject: str = "app") -> None:
        steps = tuple((name, f"Doing {name}") for name in ("one", "two", "three"))
        new = NewOperation(operation_id, subject, "make", {}, steps)
        await self.db.write(lambda connection: add_operation(connection, TABLES, new=new))

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
