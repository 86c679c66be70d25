"""Keyset pagination: a page begins behind a row, wherever that is by now, and not behind a number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def comes_after(keys: Sequence[tuple[sa.ColumnElement[Any], bool, Any]]) -> sa.ColumnElement[bool]:
    """Condition that a row comes after another one in an order.

    Args:
        keys: of the order, the most significant first: column, whether it descends, and the value of the other row. The
            last one is unique, so that no row is skipped or repeated.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    equal: list[sa.ColumnElement[bool]] = []
    for column, descends, value in keys:
        beyond = column < value if descends else column > value
        conditions.append(sa.and_(*equal, beyond))
        equal.append(column == value)
    return sa.or_(*conditions)
