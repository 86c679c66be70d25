"""Queries for operations: pages for clients, and the next operation for workers.

Clients are answered on the fast read path and without the columns that only workers need. Workers take what is within the
concurrency limits, fair between users, then the oldest.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.common.core.config import ServiceSettings, setting
from services.common.core.errors import refuse_after
from services.common.core.parsing import parse_int
from services.common.db.database import Database, UtcDateTime
from services.common.db.queries import Query, RowParser, comes_after
from services.common.operations.model import Operation, OperationStep
from services.common.operations.tables import OperationTables

_NOT_COLUMNS = frozenset({"steps", "expected_s"})  # of Operation: read otherwise, or from elsewhere
_FIELDS = tuple(name for name in Operation.__dataclass_fields__ if name not in _NOT_COLUMNS)
_STEP_FIELDS = tuple(OperationStep.__dataclass_fields__)
_param = sa.bindparam


class OperationLookups:
    """Read access to the operations of a service.

    Args:
        db: the service's database.
        tables: where its operations are.
    """

    def __init__(self, db: Database, tables: OperationTables) -> None:
        self._db = db
        self._tables = tables

    async def list_operations(
        self, wanted: Mapping[str, str], *, limit: int, offset: int = 0, unfinished: bool = False
    ) -> tuple[list[Operation], int]:
        """Those whose columns have the wanted values, newest first, with their steps, and how many there are in all."""
        params = {**wanted, "limit": limit, "offset": offset}
        queries = _make_queries(self._tables, frozenset(wanted), unfinished=unfinished)
        rows, step_rows = await asyncio.gather(
            self._db.fetch(queries.page, params), self._db.fetch(queries.steps, params)
        )
        found: dict[str, list[OperationStep]] = {}
        for operation_id, *values in step_rows:
            found.setdefault(operation_id, []).append(_build_step(queries.step_parser.parse(values)))
        # A page beyond the end has no row that could carry the total.
        if rows or offset == 0:
            total = rows[0][0] if rows else 0
        else:
            total = (await self._db.fetch(queries.count, dict(wanted)))[0][0]
        parsed = [queries.parser.parse(row[1:]) for row in rows]
        return [Operation(**fields, steps=tuple(found.get(fields["id"], ()))) for fields in parsed], total

    async def list_operations_after(
        self, wanted: Mapping[str, str], *, after: str, limit: int
    ) -> tuple[list[Operation], int]:
        """Those whose columns have the wanted values behind an operation, newest first, and how many there are in all.

        The operation itself may have other values by now: it has its place in the order all the same.

        Raises:
            InvalidError: there is no such operation.
        """
        ops = self._tables.operations
        where = [ops.c[name] == value for name, value in wanted.items()]
        count = sa.select(sa.func.count()).select_from(ops).where(*where)
        query = sa.select(ops).where(*where).order_by(ops.c.created_at.desc(), ops.c.id).limit(limit)

        def read(connection: sa.Connection) -> tuple[list[Operation], int]:
            created = connection.execute(sa.select(ops.c.created_at).where(ops.c.id == after)).scalar()
            if created is None:
                raise refuse_after(after, kind="operation")
            behind = comes_after([(ops.c.created_at, True, created), (ops.c.id, False, after)])
            found = read_operations(connection, self._tables, query=query.where(behind))
            return found, int(connection.execute(count).scalar_one())

        return await self._db.read(read)


@dataclass(frozen=True)
class _Queries:
    """Compiled queries: a page of operations with their total, their steps, and the total alone."""

    page: Query
    steps: Query
    count: Query
    parser: RowParser
    step_parser: RowParser


@cache
def _make_queries(tables: OperationTables, names: frozenset[str], *, unfinished: bool) -> _Queries:
    ops, steps = tables.operations, tables.steps
    where = [ops.c[name] == _param(name, type_=ops.c[name].type) for name in sorted(names)]
    where += [ops.c.finished_at.is_(None)] if unfinished else []
    count = sa.select(sa.func.count()).select_from(ops).where(*where)
    page = sa.select(ops.c.id).where(*where).order_by(ops.c.created_at.desc(), ops.c.id)
    page = page.limit(_param("limit")).offset(_param("offset"))
    columns = [ops.c[name] for name in _FIELDS]
    step_columns = [steps.c[name] for name in _STEP_FIELDS]
    of_page = sa.select(steps.c.operation_id, *step_columns).where(steps.c.operation_id.in_(page))
    return _Queries(
        Query(page.with_only_columns(count.scalar_subquery(), *columns)),
        Query(of_page.order_by(steps.c.position)),
        Query(count),
        RowParser(columns),
        RowParser(step_columns),
    )


def _build_step(fields: dict[str, Any]) -> OperationStep:
    return OperationStep(**{**fields, "upids": tuple(fields["upids"] or ())})


def read_operations(
    connection: sa.Connection, tables: OperationTables, *, query: sa.Select[Any]
) -> list[Operation]:
    """The operations that a query finds, with their steps."""
    rows = connection.execute(query).all()
    found: dict[str, list[OperationStep]] = {row.id: [] for row in rows}
    steps = tables.steps
    if found:
        wanted = sa.select(steps).where(steps.c.operation_id.in_(found)).order_by(steps.c.position)
        for row in connection.execute(wanted):
            found[row.operation_id].append(_step(row))
    return [_operation(row, found[row.id]) for row in rows]


def _step(row: sa.Row[Any]) -> OperationStep:
    names = OperationStep.__dataclass_fields__.keys() - {"upids"}
    return OperationStep(upids=tuple(row.upids or ()), **{name: getattr(row, name) for name in names})


def _operation(row: sa.Row[Any], steps: Sequence[OperationStep]) -> Operation:
    names = Operation.__dataclass_fields__.keys() - _NOT_COLUMNS
    return Operation(steps=tuple(steps), **{name: getattr(row, name) for name in names})


RUNNABLE = ("queued", "running", "waiting", "undoing")
_CURRENT = sa.bindparam("current", type_=UtcDateTime)
_FAR = sa.bindparam("far", type_=UtcDateTime)
# Longer than every lease and delay (12.5 minutes): a later time was written before the clock was set back.
_PLAUSIBLE = timedelta(minutes=15)


def bind_times(current: datetime) -> dict[str, datetime]:
    """Return the parameters of the query of `find_next`."""
    return {"current": current, "far": current + _PLAUSIBLE}


@cache  # workers ask all the time, and to put it together costs as much as to run it
def find_next(
    operations: sa.Table, kinds: frozenset[str] | None, *, limits: OperationLimits
) -> sa.Select[Any]:
    """The query for the id of the operation that is next, of one of these kinds or of any; with `bind_times`.

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
        sa.or_(operations.c.not_before <= _CURRENT, operations.c.not_before > _FAR),
        sa.or_(
            operations.c.lease_until.is_(None),
            operations.c.lease_until < _CURRENT,
            operations.c.lease_until > _FAR,
        ),
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
        .where(alias.c.finished_at.is_(None), alias.c.lease_until.between(_CURRENT, _FAR), says)
        .group_by(key)
        .subquery()
    )


_parse_limit = parse_int(0, 10_000)


@dataclass(frozen=True)
class OperationLimits:
    """Limits of operations that run at once in all workers together; 0: any number.

    Attributes:
        per_node, per_storage: with the same `node` or `storage`.
        per_user: requested by one user.
    """

    per_node: int = 0
    per_storage: int = 0
    per_user: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperationSettings(ServiceSettings):
    """Settings of a service with operations; each service counts its own."""

    operations_per_node: int = setting(
        "OPERATIONS_PER_NODE",
        default=4,
        parse=_parse_limit,
        doc="How many operations run at once on a Proxmox node; those that only start, stop or delete containers "
        "count on their own. Each service counts its operations; 0: any number.",
    )
    operations_per_storage: int = setting(
        "OPERATIONS_PER_STORAGE",
        default=8,
        parse=_parse_limit,
        doc="How many operations fill a storage at once; of the same name on several nodes, it counts as one. "
        "0: any number.",
    )
    operations_per_user: int = setting(
        "OPERATIONS_PER_USER",
        default=8,
        parse=_parse_limit,
        doc="How many operations of one user run at once; 0: any number.",
    )

    @property
    def limits(self) -> OperationLimits:
        """The three together."""
        return OperationLimits(
            per_node=self.operations_per_node,
            per_storage=self.operations_per_storage,
            per_user=self.operations_per_user,
        )
