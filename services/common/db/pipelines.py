"""Fast reads from PostgreSQL on the event loop: libpq's pipelines, without a thread to hand anything to.

A thread pool costs a reader two wake-ups and a fight for the interpreter's lock: several times the query itself. Here
a query is written when it is asked and its rows are read when they are there; what is asked meanwhile goes out on
the same connections, and PostgreSQL has the next one at hand when it has done one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.types.string import TextBinaryLoader
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from services.common.db.queries import ATTEMPTS, PendingQuery, Query, delay_of, is_transient

_DEPTH = 4  # queries on the way on one connection: what is slow delays few others
_BINARY = 1
_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_SILENT_S = 35.0  # the server ends statements after 30
_BROKEN = (psycopg.Error, sa.exc.SQLAlchemyError, OSError)

_Prepared = tuple[
    bytes, tuple[str, ...], dict[str, Any]
]  # its name, its parameters in order, those that are fixed


class PipelineReader:
    """Runs queries on a few connections of the event loop.

    Args:
        engine: makes the connections.
        threads: where connections are made, which may take seconds.
        limit: how many connections there are at most.
    """

    def __init__(self, engine: sa.Engine, threads: ThreadPoolExecutor, *, limit: int) -> None:
        self._engine = engine
        self._threads = threads
        self._limit = limit
        self._links: list[_Link] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[PendingQuery] = deque()

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """The rows of a query.

        Raises:
            DatabaseUnavailableError: the database did not answer, after retries.
        """
        asked = PendingQuery(query, params, asyncio.get_running_loop().create_future())
        self._submit(asked)
        return await asked.answer

    def close(self) -> None:
        """Close every connection; call it in the event loop."""
        for task in self._opening:
            task.cancel()
        for link in self._links:
            link.close()
        self._links.clear()

    def _submit(self, asked: PendingQuery) -> None:
        link = min(self._links, key=_count_asked, default=None)
        if link is not None and not link.asked:
            link.send(asked)
            return
        if len(self._links) + len(self._opening) < self._limit:
            self._open()
        if link is not None and len(link.asked) < _DEPTH:
            link.send(asked)
        else:
            self._waiting.append(asked)

    def _open(self) -> None:
        task = asyncio.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                connection = await loop.run_in_executor(self._threads, _make_connection, self._engine)
                break
            except _BROKEN as error:
                failure = error
            await asyncio.sleep(delay_of(attempt))
        else:
            self._give_up(failure)
            return
        link = _Link(connection, on_room=self._refill, on_broken=self._drop)
        self._links.append(link)
        self._refill(link)

    def _refill(self, link: _Link) -> None:
        """Send what waits for room on a connection."""
        while self._waiting and len(link.asked) < _DEPTH and link in self._links:
            asked = self._waiting.popleft()
            if not asked.answer.done():  # else nobody waits any more
                link.send(asked)

    def _drop(self, link: _Link, error: Exception) -> None:
        """Ask again on another connection what a broken one has not answered."""
        if link in self._links:
            self._links.remove(link)
        left = [asked for asked in link.asked if not asked.answer.done()]
        link.asked.clear()
        link.close()
        for asked in left:
            asked.attempts += 1
            if asked.attempts < ATTEMPTS:
                asyncio.get_running_loop().call_later(delay_of(asked.attempts), self._submit, asked)
            else:
                asked.give_up(error)
        if self._waiting and not self._opening:
            self._open()

    def _give_up(self, error: Exception) -> None:
        if self._links:
            return
        waiting, self._waiting = self._waiting, deque()
        for asked in waiting:
            asked.give_up(error)


class _Link:
    """One connection in pipeline mode: answers come in the order of the questions.

    Args:
        connection: psycopg's, in autocommit.
        on_room: called when an answer has come.
        on_broken: called once, when the connection is of no use any more.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        *,
        on_room: Callable[[_Link], None],
        on_broken: Callable[[_Link, Exception], None],
    ) -> None:
        self.asked: deque[PendingQuery] = deque()
        self._connection = connection
        self._on_room = on_room
        self._on_broken = on_broken
        self._driver = connection.pgconn
        self._transformer = Transformer(connection)
        self._prepared: dict[Query, _Prepared] = {}
        self._result: pq.abc.PGresult | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._socket = self._driver.socket
        self._driver.nonblocking = 1
        self._driver.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)

    def send(self, asked: PendingQuery) -> None:
        """Ask; the answer goes to the question's future."""
        try:
            name, order, fixed = self._prepared.get(asked.query) or self._prepare(asked.query)
            values = {**fixed, **asked.params}
            packed = [None if values[each] is None else str(values[each]).encode() for each in order]
        except (KeyError, ValueError, sa.exc.SQLAlchemyError) as error:
            asked.fail(error)  # never sent: it must not stand in line for the answers of others
            return
        except psycopg.Error as error:
            self.asked.append(asked)
            self._loop.call_soon(self._on_broken, self, error)
            return
        self.asked.append(asked)
        try:
            self._driver.send_query_prepared(name, packed, result_format=_BINARY)
            self._driver.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._loop.call_soon(self._on_broken, self, error)
            return
        if self._timer is None:
            self._timer = self._loop.call_later(_SILENT_S, self._look, asked)

    def close(self) -> None:
        """Close the connection; what it has not answered stays unanswered."""
        if self._socket < 0:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket = -1
        if self._timer is not None:
            self._timer.cancel()
        self._connection.close()

    def _prepare(self, query: Query) -> _Prepared:
        text, order, fixed = query.render(_DIALECT)
        prepared = self._prepared[query] = (f"q{len(self._prepared)}".encode(), order, fixed)
        self._driver.send_prepare(prepared[0], text.encode())
        return prepared

    def _flush(self) -> None:
        if self._driver.flush():
            self._loop.add_writer(self._socket, self._flush_later)

    def _flush_later(self) -> None:
        try:
            if not self._driver.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._on_broken(self, error)

    def _look(self, asked: PendingQuery) -> None:
        """End a connection that has been silent; `asked` was on the way when it was looked at last."""
        if asked in self.asked:
            self._timer = None
            self._on_broken(self, TimeoutError(f"no answer within {_SILENT_S:g} s"))
        else:
            last = self.asked[-1] if self.asked else None
            self._timer = self._loop.call_later(_SILENT_S, self._look, last) if last else None

    def _receive(self) -> None:
        try:
            self._driver.consume_input()
            while self.asked and not self._driver.is_busy():
                self._take(self._driver.get_result())
        except psycopg.Error as error:
            self._on_broken(self, error)
            return
        self._on_room(self)

    def _take(self, result: pq.abc.PGresult | None) -> None:
        """Keep a result, or its error, until the pipeline says that it was all."""
        if result is None:
            return
        if result.status != pq.ExecStatus.PIPELINE_SYNC:
            if self._result is None or self._result.status == pq.ExecStatus.COMMAND_OK:
                self._result = result
            return
        found, self._result = self._result, None
        if found is None or found.status != pq.ExecStatus.TUPLES_OK:
            raise self._refuse(found)
        self._transformer.set_pgresult(found)
        self.asked.popleft().succeed(self._transformer.load_rows(0, found.ntuples, tuple))

    def _refuse(self, found: pq.abc.PGresult | None) -> psycopg.Error:
        """The database's error, told to who asked unless asking again may help."""
        if found is None:
            return psycopg.OperationalError("an answer without a result")
        error = psycopg.errors.error_from_result(found)
        if not is_transient(error):
            self.asked.popleft().fail(error)
        return error


def _count_asked(link: _Link) -> int:
    return len(link.asked)


def _make_connection(engine: sa.Engine) -> psycopg.Connection[Any]:
    fairy = engine.raw_connection()
    connection: Any = fairy.driver_connection
    fairy.detach()
    connection.autocommit = True
    connection.adapters.register_loader("json", TextBinaryLoader)
    return connection  # type: ignore[no-any-return]
