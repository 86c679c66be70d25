"""Operations in a database, with workers that count what they did."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import sqlalchemy as sa

from services.common.db.database import Database
from services.common.operations.engine import Engine
from services.common.operations.model import ClaimedOperation, Context, NewOperation, Step, Workflow
from services.common.operations.queries import OperationLimits
from services.common.operations.store import NO_LIMITS, SqlOperationStore
from services.common.operations.tables import add_operation, define_tables

METADATA = sa.MetaData()


TABLES = define_tables(METADATA)


OPERATION = TABLES.operations.c


LOUD, QUIET = 1, 2


@dataclasses.dataclass(frozen=True)
class Named:
    """State of a workflow that knows its operation."""

    name: str


@dataclasses.dataclass
class Queue:
    """Operations in a database, and how often each did its work."""

    db: Database
    done: Counter[str] = dataclasses.field(default_factory=Counter)
    ended: Counter[str] = dataclasses.field(default_factory=Counter)

    async def add(self, count: int, *, user: int = LOUD, node: str = "1/pve1", storage: str = "") -> None:
        def fn(connection: sa.Connection) -> None:
            for number in range(count):
                name = f"{user}-{node}-{storage}-{number}"
                new = NewOperation(
                    name,
                    name,
                    "work",
                    {"name": name},
                    (("work", "Working"),),
                    user,
                    node=node,
                    storage=storage,
                )
                add_operation(connection, TABLES, new=new)

        await self.db.write(fn)

    def store(self, limits: OperationLimits = NO_LIMITS) -> SqlOperationStore:
        def apply(_connection: sa.Connection, ended: str) -> None:
            self.ended[ended] += 1

        return SqlOperationStore(self.db, TABLES, apply=apply, log=lambda *_, line: None, limits=limits)

    async def claim(self, limits: OperationLimits, *, most: int = 30) -> list[ClaimedOperation]:
        """What two workers may run at once, claimed one after the other."""
        stores = (self.store(limits), self.store(limits))
        found: list[ClaimedOperation] = []
        while len(found) < most:
            one = await stores[len(found) % 2].claim_next(f"w{len(found) % 2}")
            if one is None:
                break
            found.append(one)
        return found

    async def set(self, operation: ClaimedOperation, **values: Any) -> None:
        query = TABLES.operations.update().where(OPERATION.id == operation.id).values(**values)
        await self.db.write(lambda connection: connection.execute(query))

    async def count_unfinished(self) -> int:
        query = sa.select(sa.func.count()).where(OPERATION.finished_at.is_(None))
        return int(await self.db.read(lambda connection: connection.execute(query).scalar_one()))

    def engine(self, worker: str, limits: OperationLimits) -> Engine:
        async def run(state: Named, ctx: Context) -> Named:
            self.done[ctx.operation.id] += 1
            return state

        steps = (Step("work", "Working", run),)
        workflow = Workflow("work", steps, Named, lambda state: (state.name,), lambda *_: ())
        return Engine(self.store(limits), {"work": workflow}, worker=worker)
