"""Keyset pagination in mixed orders."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa

from services.common.db.queries import comes_after

TABLE = sa.Table(
    "t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Column("b", sa.Integer), sa.Column("id", sa.Integer)
)
ROWS = [{"a": a, "b": b, "id": number} for number, (a, b) in enumerate(itertools.product(range(3), range(3)))]


@pytest.mark.parametrize("directions", list(itertools.product((False, True), repeat=3)))
def test_behind_every_row_comes_exactly_the_rest_of_the_order(directions: tuple[bool, ...]) -> None:
    columns = (TABLE.c.a, TABLE.c.b, TABLE.c.id)
    order = [
        column.desc() if down else column.asc() for column, down in zip(columns, directions, strict=True)
    ]
    with sa.create_engine("sqlite://").connect() as connection:
        TABLE.create(connection)
        connection.execute(TABLE.insert(), ROWS)
        everything = connection.execute(sa.select(TABLE).order_by(*order)).all()
        for position, row in enumerate(everything):
            keys = list(zip(columns, directions, row, strict=True))
            behind = connection.execute(sa.select(TABLE).where(comes_after(keys)).order_by(*order)).all()
            assert behind == everything[position + 1 :]
