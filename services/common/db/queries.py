"""The fast read path: a statement compiled once and executed by the driver itself in one round trip.

`Database.read` takes a pooled connection, begins and ends a transaction and converts every value: five times the work of
the query. A `Query` is SQLAlchemy Core too, but runs in autocommit on a connection of its reader and returns rows as the
driver has them: JSON columns as text, times through `parse_time`. PostgreSQL is read on the event loop (`postgres`),
SQLite in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa

from services.common.db.transactions import DatabaseUnavailableError, find_fault

ATTEMPTS = 6  # of a query on connections that break, with 1.2 s of delays: longer outages are the caller's
_BATCH = 4  # queries of SQLite that one turn of its thread takes together

# Entries of pages that are often requested: the default, and those of the console. PostgreSQL plans a statement whose
# limit is a parameter each time, since it cannot know how few rows are wanted; that takes as long as a first page itself.
# So first pages of these sizes have their limit in the text. Other sizes would be a prepared statement each.
COMMON_PAGE_SIZES = frozenset({20, 50, 100})


class Query:
    """A SELECT with named parameters (`sa.bindparam`), each a text or a number."""

    def __init__(self, statement: sa.Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, str], tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def render(self, dialect: sa.Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """The text for a driver, its parameters in order (none where they go by name), and the values that are fixed."""
        style = dialect.name, dialect.paramstyle
        known = self._compiled.get(style)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            order = tuple(compiled.positiontup or ())
            known = self._compiled[style] = (str(compiled), order, dict(compiled.params))
        return known


@dataclass(eq=False)
class PendingQuery:
    """A query under way and the future that gets its rows."""

    query: Query
    params: dict[str, Any]
    answer: asyncio.Future[list[Any]]

    def succeed(self, rows: list[Any]) -> None:
        """Deliver the rows, unless the caller is gone."""
        if not self.answer.done():
            self.answer.set_result(rows)

    def fail(self, error: Exception) -> None:
        """Deliver an error, unless the caller is gone."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Reader(Protocol):
    """Runs queries."""

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """The rows of a query.

        Raises:
            DatabaseUnavailableError: the database did not answer, after retries.
        """

    async def close(self) -> None:
        """Close every connection; call it when no query is under way any more."""


_Outcome = tuple[PendingQuery, "list[Any] | Exception"]


class ThreadReader:
    """Runs queries of SQLite in threads, each on a connection of its own.

    A thread that has begun goes on while there is something to do and hands over answers by the batch: waking threads
    and the event loop costs more than most queries.

    Args:
        engine: makes the connections.
        threads: where queries run.
        limit: how many of the threads they may take.
    """

    def __init__(self, engine: sa.Engine, threads: ThreadPoolExecutor, *, limit: int) -> None:
        self._engine = engine
        self._threads = threads
        self._limit = limit
        self._local = threading.local()
        self._opened: set[Any] = set()
        self._waiting: deque[PendingQuery] = deque()
        self._running = 0

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """See `Reader`."""
        loop = asyncio.get_running_loop()
        pending = PendingQuery(query, params, loop.create_future())
        self._waiting.append(pending)
        self._begin(loop)
        return await pending.answer

    async def close(self) -> None:
        """See `Reader`."""
        for connection in self._opened:
            connection.close()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting and self._running < self._limit:
            self._running += 1
            self._threads.submit(self._work, loop)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what waits, in a thread, until nothing does."""
        outcomes: list[_Outcome] = []
        while batch := self._take():
            outcomes = [(pending, self._try(pending)) for pending in batch]
            if not self._waiting:
                break
            loop.call_soon_threadsafe(_deliver, outcomes)
            outcomes = []
        loop.call_soon_threadsafe(self._end, loop, outcomes)  # one waking of the loop for both

    def _end(self, loop: asyncio.AbstractEventLoop, outcomes: list[_Outcome]) -> None:
        self._running -= 1
        self._begin(loop)  # what came after the thread had looked
        _deliver(outcomes)

    def _take(self) -> list[PendingQuery]:
        batch: list[PendingQuery] = []
        with contextlib.suppress(IndexError):
            while len(batch) < _BATCH:
                batch.append(self._waiting.popleft())
        return batch

    def _try(self, pending: PendingQuery) -> list[Any] | Exception:
        try:
            return self._fetch(pending)
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            return error

    def _fetch(self, pending: PendingQuery) -> list[Any]:
        text, order, fixed = pending.query.render(self._engine.dialect)
        values = {**fixed, **pending.params}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                rows: list[Any] = self._cursor().execute(text, [values[name] for name in order]).fetchall()
            except (self._engine.dialect.loaded_dbapi.Error, sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                self._drop()
                failure = error
            else:
                return rows
            time.sleep(delay_of(attempt))
        cause = getattr(failure, "orig", failure)
        raise DatabaseUnavailableError(find_fault(cause) or "the database does not answer") from failure

    def _cursor(self) -> Any:
        found = getattr(self._local, "cursor", None)
        if found is None:
            fairy = self._engine.raw_connection()
            connection: Any = fairy.driver_connection
            fairy.detach()
            self._opened.add(connection)
            found = self._local.cursor = connection.cursor()
        return found

    def _drop(self) -> None:
        cursor = getattr(self._local, "cursor", None)
        self._local.cursor = None
        if cursor is not None:  # there is none when the connection could not be made
            self._opened.discard(cursor.connection)
            cursor.connection.close()


def _deliver(outcomes: list[_Outcome]) -> None:
    for pending, outcome in outcomes:
        if isinstance(outcome, Exception):
            pending.fail(outcome)
        else:
            pending.succeed(outcome)


def delay_of(attempt: int) -> float:
    """Seconds to wait after an attempt that failed; the first is 1."""
    return 0.02 * 2.0**attempt


def parse_time(value: Any) -> datetime:
    """The time in a column of a row: SQLite's is text without a zone."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    found: datetime = value
    return found


class RowParser:
    """Rows of a `Query` by the names of its columns: truths, times and JSON as SQLAlchemy would give them.

    Args:
        columns: what the query selects.
    """

    def __init__(self, columns: Sequence[sa.ColumnElement[Any] | sa.Label[Any]]) -> None:
        self._columns = [(str(each.key), _choose_parser(each.type)) for each in columns]

    def parse(self, row: Sequence[Any]) -> dict[str, Any]:
        """The values of a row."""
        return {
            name: value if parse is None or value is None else parse(value)
            for (name, parse), value in zip(self._columns, row, strict=True)
        }


def _choose_parser(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    type_ = kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind
    if isinstance(type_, sa.Boolean):
        return bool  # SQLite has numbers
    if isinstance(type_, sa.DateTime):
        return parse_time
    return json.loads if isinstance(type_, sa.JSON) else None


def is_transient(error: Exception) -> bool:
    """Whether another connection may do: the server went away, or a table has changed under a prepared statement."""
    state = str(getattr(error, "sqlstate", None) or "")
    return not state or state.startswith(("08", "57P", "40", "0A")) or state == "55P03"


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
