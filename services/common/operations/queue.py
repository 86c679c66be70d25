"""Order of the queue: within the limits, fair between users, then the oldest."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from services.common.db.database import UtcDateTime
from services.common.operations.model import OperationLimits

RUNNABLE = ("queued", "running", "waiting", "undoing")
_CURRENT = sa.bindparam("current", type_=UtcDateTime)


@cache  # workers ask all the time, and to put it together costs as much as to run it
def find_next(operations: sa.Table, kinds: frozenset[str] | None, limits: OperationLimits) -> sa.Select[Any]:
    """The query for the id of the operation that is next at `:current`, of one of these kinds or of any.

    Among those that may run, it is one that has begun, then of the user with the fewest running ones, then the oldest.
    One that is being undone goes before all others and is bound by no limit: it frees what it holds. Nor is one whose
    worker died: it had its place.
    """
    load = _count_running(operations, "requested_by")
    unbound = operations.c.status.in_(("undoing", "running"))
    turn = sa.case({"undoing": 0, "running": 1, "waiting": 2}, value=operations.c.status, else_=3)
    where = [
        operations.c.finished_at.is_(None),
        operations.c.delegated.is_(False),
        operations.c.status.in_(RUNNABLE),
        operations.c.not_before <= _CURRENT,
        sa.or_(operations.c.lease_until.is_(None), operations.c.lease_until < _CURRENT),
        sa.or_(unbound, *_within(operations, limits)),
    ]
    if kinds is not None:
        where.append(operations.c.kind.in_(list(kinds)))
    return (
        sa.select(operations.c.id)
        .outerjoin(load, load.c.key == operations.c.requested_by)
        .where(*where)
        .order_by(turn, sa.func.coalesce(load.c.count, 0), operations.c.created_at)
        .limit(1)
    )


def _within(operations: sa.Table, limits: OperationLimits) -> list[sa.ColumnElement[bool]]:
    """One condition that holds for operations that no limit keeps back."""
    found: list[sa.ColumnElement[bool]] = [sa.true()]
    for column, limit in (
        ("node", limits.per_node),
        ("storage", limits.per_storage),
        ("requested_by", limits.per_user),
    ):
        if limit:
            count = _count_running(operations, column)
            full = sa.select(count.c.key).where(count.c.count >= limit)
            key = operations.c[column]
            found.append(sa.or_(key.is_(None), key.not_in(full)))
    return [sa.and_(*found)]


def _count_running(operations: sa.Table, column: str) -> sa.Subquery:
    """Count the operations that run at `:current`, by the non-empty values of a column."""
    alias = operations.alias()
    key = alias.c[column]
    says = key.is_not(None) if column == "requested_by" else key != ""
    return (
        sa.select(key.label("key"), sa.func.count().label("count"))
        .where(alias.c.finished_at.is_(None), alias.c.lease_until >= _CURRENT, says)
        .group_by(key)
        .subquery()
    )
