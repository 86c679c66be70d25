"""Reads that must be fast: a statement compiled once, run by the driver itself in one round trip.

`Database.read` takes a connection of a pool, begins and ends a transaction, and turns every value into its type:
five times the work of the query. A `Query` is SQLAlchemy Core too, but runs on a connection of the thread's own,
in autocommit, as a prepared statement, and gives rows as the driver has them: JSON columns as text, times by
`parse_time`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.common.errors import UnavailableError

_ATTEMPTS = 6
_BATCH = 4


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer."""


class Query:
    """A SELECT with named parameters (`sa.bindparam`), each a text or a number."""

    def __init__(self, statement: sa.Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def render(self, dialect: sa.Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """The text for a driver, the order of its parameters (empty: by name), and the values that are fixed."""
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            order = tuple(compiled.positiontup or ())
            known = self._compiled[dialect.name] = (str(compiled), order, dict(compiled.params))
        return known


_Asked = tuple[Query, dict[str, Any], "asyncio.Future[list[Any]]"]
_Outcome = tuple["asyncio.Future[list[Any]]", "list[Any] | Exception"]


class Reader:
    """Runs queries in threads, each on a connection of its own.

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
        self._waiting: deque[_Asked] = deque()
        self._running = 0

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """The rows of a query.

        Raises:
            DatabaseUnavailableError: the database did not answer, after retries.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        self._waiting.append((query, params, answer))
        self._begin(loop)
        return await answer

    def close(self) -> None:
        """Close every connection."""
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
            outcomes = [(answer, self._try(query, params)) for query, params, answer in batch]
            if not self._waiting:
                break
            loop.call_soon_threadsafe(_deliver, outcomes)
            outcomes = []
        loop.call_soon_threadsafe(self._end, loop, outcomes)  # one waking of the loop for both

    def _end(self, loop: asyncio.AbstractEventLoop, outcomes: list[_Outcome]) -> None:
        self._running -= 1
        self._begin(loop)  # what came after the thread had looked
        _deliver(outcomes)

    def _take(self) -> list[_Asked]:
        batch: list[_Asked] = []
        with contextlib.suppress(IndexError):
            while len(batch) < _BATCH:
                batch.append(self._waiting.popleft())
        return batch

    def _try(self, query: Query, params: dict[str, Any]) -> list[Any] | Exception:
        try:
            return self._fetch(query, params)
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            return error

    def _fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        text, order, fixed = query.render(self._engine.dialect)
        values: Any = {**fixed, **params}
        if order:
            values = [values[name] for name in order]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._run(text, values)
            except self._engine.dialect.loaded_dbapi.Error as error:
                self._drop()
                if not _is_transient(error):
                    raise
                if attempt == _ATTEMPTS:
                    raise DatabaseUnavailableError("the database does not answer") from error
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:  # of connecting
                if attempt == _ATTEMPTS:
                    raise DatabaseUnavailableError("the database does not answer") from error
            time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def _run(self, text: str, values: Any) -> list[Any]:
        cursor = getattr(self._local, "cursor", None) or self._open()
        rows: list[Any] = cursor.execute(text, values).fetchall()
        return rows

    def _open(self) -> Any:
        fairy = self._engine.raw_connection()
        connection: Any = fairy.driver_connection
        fairy.detach()
        self._opened.add(connection)
        if self._engine.dialect.name == "sqlite":
            self._local.cursor = connection.cursor()
        else:
            self._local.cursor = _prepare_postgres(connection)
        return self._local.cursor

    def _drop(self) -> None:
        cursor = getattr(self._local, "cursor", None)
        self._local.cursor = None
        if cursor is not None:  # there is none when the connection could not be made
            self._opened.discard(cursor.connection)
            cursor.connection.close()


def _deliver(outcomes: list[_Outcome]) -> None:
    for answer, outcome in outcomes:
        if answer.done():  # nobody waits any more
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


def parse_time(value: Any) -> datetime:
    """The time in a column of a row: SQLite's is text without a zone."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    found: datetime = value
    return found


def _prepare_postgres(connection: Any) -> Any:
    from psycopg.types.string import TextBinaryLoader

    connection.autocommit = True
    connection.prepare_threshold = 0
    connection.adapters.register_loader("json", TextBinaryLoader)
    return connection.cursor(binary=True)


def _is_transient(error: Exception) -> bool:
    """Whether another connection may do: the server went away, or a table has changed under a prepared statement."""
    state = str(getattr(error, "sqlstate", None) or "")
    return not state or state.startswith(("08", "57P", "40", "0A")) or state == "55P03"
