"""Operations as everybody asks for them who waits for one: by the fast way, without what only workers need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.common.db import Database
from services.common.operations.progress import Operation, OperationStep
from services.common.operations.tables import OperationTables
from services.common.reading import Query, parse_time

_FIELDS = tuple(name for name in Operation.__dataclass_fields__ if name not in {"app_id", "steps"})
_STEP_FIELDS = tuple(OperationStep.__dataclass_fields__)
_TIMES = frozenset({"created_at", "started_at", "updated_at", "finished_at"})
_param = sa.bindparam


class OperationLookups:
    """What is shown of a service's operations.

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
        names = frozenset(wanted)
        page, steps, count = _make_queries(self._tables, names, unfinished=unfinished)
        rows, step_rows = await asyncio.gather(self._db.fetch(page, params), self._db.fetch(steps, params))
        found: dict[str, list[OperationStep]] = {}
        for operation_id, *values in step_rows:
            found.setdefault(operation_id, []).append(_parse_step(values))
        if rows or offset == 0:
            total = rows[0][0] if rows else 0
        else:
            total = (await self._db.fetch(count, dict(wanted)))[0][0]
        return [_parse_operation(row, found) for row in rows], total


@cache
def _make_queries(
    tables: OperationTables, names: frozenset[str], *, unfinished: bool
) -> tuple[Query, Query, Query]:
    ops, steps = tables.operations, tables.steps
    where = [ops.c[name] == _param(name, type_=ops.c[name].type) for name in sorted(names)]
    where += [ops.c.finished_at.is_(None)] if unfinished else []
    count = sa.select(sa.func.count()).select_from(ops).where(*where)
    page = sa.select(ops.c.id).where(*where).order_by(ops.c.created_at.desc(), ops.c.id)
    page = page.limit(_param("limit")).offset(_param("offset"))
    columns = [count.scalar_subquery(), ops.c.subject, *(ops.c[name] for name in _FIELDS)]
    step_columns = [steps.c.operation_id, *(steps.c[name] for name in _STEP_FIELDS)]
    of_page = sa.select(*step_columns).where(steps.c.operation_id.in_(page)).order_by(steps.c.position)
    return Query(page.with_only_columns(*columns)), Query(of_page), Query(count)


def _parse_operation(row: Any, steps: Mapping[str, list[OperationStep]]) -> Operation:
    _, subject, *values = row
    fields = dict(zip(_FIELDS, values, strict=True))
    for name in _TIMES:
        fields[name] = _parse_moment(fields[name])
    fields["cancel_requested"], fields["held"] = bool(fields["cancel_requested"]), bool(fields["held"])
    return Operation(app_id=subject, steps=tuple(steps.get(fields["id"], ())), **fields)


def _parse_step(values: list[Any]) -> OperationStep:
    fields = dict(zip(_STEP_FIELDS, values, strict=True))
    fields["started_at"] = _parse_moment(fields["started_at"])
    fields["finished_at"] = _parse_moment(fields["finished_at"])
    fields["upids"] = tuple(json.loads(fields["upids"]) or ())
    return OperationStep(**fields)


def _parse_moment(value: Any) -> Any:
    return None if value is None else parse_time(value)
