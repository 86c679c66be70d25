"""Queries for operations by clients, on the fast read path and without the columns that only workers need."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.common.db.database import Database
from services.common.db.queries import Query, RowParser
from services.common.operations.tables import OperationTables
from services.common.operations.view import NOT_COLUMNS, Operation, OperationStep

_FIELDS = tuple(name for name in Operation.__dataclass_fields__ if name not in NOT_COLUMNS)
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
