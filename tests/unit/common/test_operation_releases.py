"""An operation that one release began and another one ends: no step is left out, none runs twice."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.common.operations.model import NewOperation
from services.common.operations.tables import add_operation, find_place
from tests.unit.common.operations_world import TABLES, World, world  # noqa: F401 - a fixture


async def begin(
    where: World, *names: str, done: int = 0, status: str = "running", begun: bool = False
) -> None:
    """An operation of another release's steps, of which the first are done."""
    new = NewOperation("op", "app", "make", {}, tuple((name, f"Once {name}") for name in names))
    operations, steps = TABLES.operations, TABLES.steps
    reached = done + begun

    def fn(connection: sa.Connection) -> None:
        add_operation(connection, TABLES, new=new)
        connection.execute(operations.update().values(step_index=done, status=status, fence=1))
        connection.execute(steps.update().where(steps.c.position < reached).values(status="running"))
        connection.execute(steps.update().where(steps.c.position < done).values(status="done"))

    await where.db.write(fn)


@pytest.mark.parametrize(
    ("names", "done", "begun", "made"),
    [
        (("one", "three"), 1, False, ["two", "three"]),  # a step is new, and its turn has not passed
        (("one", "three"), 1, True, ["three"]),  # it has
        (("one", "zero", "two", "three"), 1, False, ["two", "three"]),  # one is gone, and was next
        (("zero", "one", "two", "three"), 2, True, ["two", "three"]),  # one is gone, and was done
        (("one", "two", "three"), 3, False, []),
        (("zero",), 1, False, ["one", "two", "three"]),
    ],
)
async def test_it_goes_on_where_it_was(
    world: World,  # noqa: F811 - the fixture
    names: tuple[str, ...],
    done: int,
    begun: bool,
    made: list[str],
) -> None:
    await begin(world, *names, done=done, begun=begun)
    await world.run()
    assert world.things == made
    assert (await world.row()).status == "succeeded"
    assert [status for status, _ in await world.steps()] == ["done"] * 3


async def test_it_is_taken_back_from_where_it_was(world: World) -> None:  # noqa: F811 - the fixture
    world.things = ["one", "three"]
    await begin(world, "one", "three", done=1, status="undoing", begun=True)
    await world.run()
    assert world.things == []
    row = await world.row()
    assert (row.step_index, row.step_count) == (0, 3)


def test_where_nothing_is_known_it_begins() -> None:
    assert find_place([("a", "running")], 0, wanted=["b", "c"], undoing=False) == 0
    assert find_place([("a", "running")], 0, wanted=["b", "c"], undoing=True) == 0
