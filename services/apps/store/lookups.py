"""Queries of the fast read path: one round trip each, and no more columns than they need.

They return stamps: a stamp says which state of an app there is to show, and its rendering is cached by the stamp
(`handlers/app_renderer.py`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.stamps import AppStamp, ListedStamp, LogStamp
from services.apps.store.tables import app_events, apps, operation_tables
from services.apps.store.totals import Totals
from services.common.db.database import Database
from services.common.db.queries import COMMON_PAGE_SIZES, Query, parse_time

_DEEP = 200  # rows to skip from which a page is first chosen in the index alone
_GRAM, _LONG_GRAM = 3, 6  # characters: what `list_grams` of the migrations cuts texts into
_LISTED = 5  # columns of an app on a page, before the total
_param = sa.bindparam
ops = operation_tables.operations


class AppLookups:
    """Queries that most requests of clients make."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._totals = Totals(self._count_beside)

    async def get_stamp(self, app_id: str, *, owner: int | None) -> AppStamp:
        """Return the state of one app.

        Raises:
            AppNotFoundError: there is none, or it is not the owner's.
        """
        params = {"id": app_id} if owner is None else {"id": app_id, "owner": owner}
        rows = await self._db.fetch(_version_query(owner is not None), params)
        if not rows:
            raise AppNotFoundError(f"there is no app {app_id}")
        return AppStamp(*(*rows[0], parse_time(rows[0][1]).timestamp()))

    async def list_stamps(
        self, wanted: AppFilter, *, page: int, per_page: int
    ) -> tuple[list[ListedStamp], int]:
        """Return the stamps of one page of apps, newest first, and how many there are in all.

        A total beyond 1,000 may be up to 2 seconds old: counting costs as much as there is to count.
        """
        total = self._totals.find(wanted)
        offset = (page - 1) * per_page
        params = list_params(wanted)
        # With a cached total, the query leaves out the count, which costs more than the page.
        is_common = page == 1 and per_page in COMMON_PAGE_SIZES and params.keys() <= {"owner"}
        query = _page_query(
            frozenset(params),
            is_counted=total is None,
            is_deep=offset >= _DEEP,
            size=per_page if is_common else None,
        )
        rows = await self._db.fetch(query, {**params, "limit": per_page, "offset": offset})
        if total is None:
            total = rows[0][_LISTED] if rows else await self._count(params) if page > 1 else 0
            self._totals.keep(wanted, total)
        stamps = [
            ListedStamp(row[0], row[1], row[2], row[3], row[4], parse_time(row[1]).timestamp())
            for row in rows
        ]
        return stamps, total

    async def get_log_stamp(self, app_id: str, *, owner: int | None, level: str) -> LogStamp:
        """Return the state of an app's log.

        Raises:
            AppNotFoundError: there is no such app, or it is not the owner's.
        """
        params: dict[str, Any] = {"id": app_id}
        params |= {} if owner is None else {"owner": owner}
        params |= {"level": level} if level else {}
        rows = await self._db.fetch(_log_query(frozenset(params)), params)
        if not rows:
            raise AppNotFoundError(f"there is no app {app_id}")
        return LogStamp(rows[0][1] or 0, rows[0][0])

    async def list_operation_stamps(
        self, app_id: str, *, owner: int | None, page: int, per_page: int
    ) -> tuple[list[tuple[str, object]], int]:
        """Return ids and stamps of one page of an app's operations, newest first, and how many there are in all.

        Administrators also get those of an app that is gone.

        Raises:
            AppNotFoundError: there is no such app and there was none, or it is not the owner's.
        """
        params: dict[str, Any] = {"app": app_id, "limit": per_page, "offset": (page - 1) * per_page}
        params |= {} if owner is None else {"owner": owner}
        rows = await self._db.fetch(_operations_query(owner is not None), params)
        if rows:
            return [(row[0], row[1]) for row in rows], rows[0][2]
        total = (await self._db.fetch(_operations_count(), {"app": app_id}))[0][0]
        # Administrators see the operations of an app that is gone; for others the app must exist and be theirs.
        if owner is not None or total == 0:
            await self.get_stamp(app_id, owner=owner)
        return [], total

    async def _count_beside(self, wanted: AppFilter) -> int:
        """Count in a thread: on a reader's connection the next queries would wait."""
        params = list_params(wanted)
        query = count_apps_of(frozenset(params))
        return int(await self._db.read(lambda connection: connection.execute(query, params).scalar_one()))

    async def _count(self, params: dict[str, Any]) -> int:
        return int((await self._db.fetch(_count_query(frozenset(params)), params))[0][0])


def escape_pattern(text: str) -> str:
    """Return a LIKE pattern for texts that contain `text`; the escape character is a slash.

    The database makes it lower case, as it does what is searched: not every one knows more letters than ASCII.
    """
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return f"%{escaped}%"


class _HasGrams(sa.ColumnElement[bool]):
    """Condition that the searched text has every trigram, or 6-gram, of the parameter: PostgreSQL's trigram index finds it.

    Args:
        name: of the parameter; `long` has six characters or more.
    """

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, name: str) -> None:
        self.name = name


@compiles(_HasGrams, "postgresql")
def _compile_grams(element: _HasGrams, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(sa.func.lower(_param(element.name, type_=sa.String)), **options)
    size = f", {_LONG_GRAM}" if element.name == "long" else ""
    return f"list_grams({compiler.process(_searched(), **options)}{size}) @> list_grams({text}{size})"


@compiles(_HasGrams, "sqlite")
def _compile_nothing(*_: object, **__: object) -> str:
    return "1"


def _searched() -> sa.ColumnElement[str]:
    """Return the searched text; the index `apps_search` is over the same expression."""
    between: sa.ColumnElement[str] = sa.literal_column("'\n'", sa.String)  # a parameter would miss the index
    return sa.func.lower(apps.c.name + between + apps.c.hostname)


def list_params(wanted: AppFilter) -> dict[str, Any]:
    """Return the parameters of a filter, without those that it does not name."""
    params = {"owner": wanted.owner_id, "status": wanted.status, "host": wanted.host_id}
    if wanted.search:
        params["search"] = escape_pattern(wanted.search)
        if len(wanted.search) >= _GRAM:
            params["long" if len(wanted.search) >= _LONG_GRAM else "text"] = wanted.search
    return {name: value for name, value in params.items() if value is not None}


def list_conditions(names: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a filter that has these parameters."""
    conditions = {
        "owner": apps.c.owner_id == _param("owner"),
        "status": apps.c.status == _param("status"),
        "host": apps.c.host_id == _param("host"),
        "text": _HasGrams("text"),
        "long": _HasGrams("long"),
        "search": _searched().like(sa.func.lower(_param("search", type_=sa.String)), escape="/"),
    }
    return [condition for name, condition in conditions.items() if name in names]


def count_apps_of(names: frozenset[str]) -> sa.Select[Any]:
    """Return the query that counts what a filter with these parameters selects."""
    return sa.select(sa.func.count()).select_from(apps).where(*list_conditions(names))


@cache
def _count_query(names: frozenset[str]) -> Query:
    return Query(count_apps_of(names))


@cache
def _page_query(names: frozenset[str], *, is_counted: bool, is_deep: bool, size: int | None = None) -> Query:
    """Return the query of a page; of the first one where it has a size.

    A size is for filters alone of which every value has the same plan, as it is planned once (`COMMON_PAGE_SIZES`).
    """
    order = (apps.c.created_at.desc(), apps.c.id.desc())
    # What is searched is read whole anyway, so it is counted on the way instead of beforehand.
    once = "search" in names
    total = sa.func.count().over() if once else count_apps_of(names).scalar_subquery()
    listed = (apps.c.id, apps.c.updated_at, apps.c.status, apps.c.host_id, apps.c.vmid)
    query = sa.select(*listed, *([total] if is_counted else []))
    if once or not is_deep:
        page = query.where(*list_conditions(names)).order_by(*order)
        if size is not None:
            return Query(page.limit(sa.literal_column(str(size), sa.Integer)))
        return Query(page.limit(_param("limit")).offset(_param("offset")))
    # What is skipped is skipped in the index alone; the rows are read for the page.
    ids = sa.select(apps.c.id).where(*list_conditions(names)).order_by(*order)
    chosen = ids.limit(_param("limit")).offset(_param("offset")).subquery()
    return Query(query.join(chosen, chosen.c.id == apps.c.id).order_by(*order))


@cache
def _version_query(is_owned: bool) -> Query:
    columns = ("id", "updated_at", "status", "error", "host_id", "vmid", "node")
    query = sa.select(*(apps.c[name] for name in columns)).where(apps.c.id == _param("id"))
    return Query(query.where(apps.c.owner_id == _param("owner")) if is_owned else query)


@cache
def _log_query(names: frozenset[str]) -> Query:
    lines = [app_events.c.app_id == _param("id"), app_events.c.kind == sa.literal_column("'log'")]
    if "level" in names:
        lines.append(app_events.c.level == _param("level"))
    found = sa.select(sa.func.count(), sa.func.max(app_events.c.id)).where(*lines).subquery()
    query = sa.select(found).join(apps, sa.true()).where(apps.c.id == _param("id"))
    return Query(query.where(apps.c.owner_id == _param("owner")) if "owner" in names else query)


@cache
def _operations_query(is_owned: bool) -> Query:
    columns = (ops.c.id, ops.c.updated_at, _operations_total().scalar_subquery())
    query = sa.select(*columns).where(ops.c.subject == _param("app"))
    if is_owned:
        mine = sa.exists().where(apps.c.id == _param("app"), apps.c.owner_id == _param("owner"))
        query = query.where(mine)
    query = query.order_by(ops.c.created_at.desc(), ops.c.id)
    return Query(query.limit(_param("limit")).offset(_param("offset")))


@cache
def _operations_count() -> Query:
    return Query(_operations_total())


def _operations_total() -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(ops).where(ops.c.subject == _param("app"))
