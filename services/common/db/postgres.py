"""Fast reads from PostgreSQL on the event loop: prepared statements on a few connections of psycopg.

psycopg connects, decodes errors and converts rows. Its cursors would cost almost three times the CPU: each wait registers
the socket with the event loop and sets a timer. Threads would cost two context switches per read as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.types.string import TextBinaryLoader
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from services.common.db.queries import ATTEMPTS, Query, delay_of, is_transient
from services.common.db.transactions import DatabaseUnavailableError, find_fault

_SILENT_S = 35.0  # the server itself ends statements after 30
_PREPARED = 500  # statements per connection; a service has fewer
_BROKEN = (psycopg.Error, OSError)
_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class PostgresReader:
    """Runs queries on at most `limit` connections, opened when they are needed.

    Each statement is prepared when a connection runs it first. A connection that fails, is cancelled midway or stays
    silent is closed, and the query is retried on another one.

    Args:
        engine: names the server and the options of a connection.
        limit: maximum number of connections.
    """

    def __init__(self, engine: sa.Engine, *, limit: int) -> None:
        _, self._options = engine.dialect.create_connect_args(engine.url)
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(limit)

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """See `Reader`."""
        text, order, fixed = query.render(_DIALECT)
        values = [_encode(params[name] if name in params else fixed[name]) for name in order]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._run(text, values)
            except _BROKEN as error:
                if not is_transient(error):
                    raise
                failure = error
            await asyncio.sleep(delay_of(attempt))
        raise DatabaseUnavailableError(find_fault(failure) or "the database does not answer") from failure

    async def close(self) -> None:
        """See `Reader`."""
        while self._idle:
            await self._idle.pop().close()

    async def _run(self, text: str, values: list[bytes | None]) -> list[Any]:
        async with self._slots:
            connection = await self._take()
            try:
                rows = await connection.fetch(text, values)
            except BaseException:
                with contextlib.suppress(*_BROKEN):
                    await connection.close()
                raise
            self._idle.append(connection)
            return rows

    async def _take(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return await _connect(self._options)


class _Connection:
    """A connection registered with the event loop for as long as it is open; it runs one query at a time."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.is_open = True
        self._connection = connection
        self._driver = connection.pgconn
        self._transformer = Transformer(connection)
        self._names: dict[str, bytes] = {}
        self._answer: asyncio.Future[pq.abc.PGresult] | None = None
        self._result: pq.abc.PGresult | None = None
        self._socket = self._driver.socket
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._receive)

    async def fetch(self, text: str, values: list[bytes | None]) -> list[Any]:
        """Run a statement, which is prepared the first time, and return its rows."""
        watchdog = self._loop.call_later(_SILENT_S, self._time_out)
        try:
            name = self._names.get(text) or await self._prepare(text)
            run = partial(self._driver.send_query_prepared, name, values, result_format=pq.Format.BINARY)
            result = await self._exchange(run)
        finally:
            watchdog.cancel()
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    async def close(self) -> None:
        """Close the connection."""
        self._release()
        await self._connection.close()

    async def _prepare(self, text: str) -> bytes:
        if len(self._names) >= _PREPARED:
            await self._exchange(partial(self._driver.send_query, b"DEALLOCATE ALL"))
            self._names.clear()
        name = b"q%d" % len(self._names)
        await self._exchange(partial(self._driver.send_prepare, name, text.encode()))
        self._names[text] = name
        return name

    async def _exchange(self, send: Callable[[], None]) -> pq.abc.PGresult:
        """Send a command and return its result.

        Raises:
            psycopg.Error, OSError: the server refuses the command, or the connection is lost.
        """
        self._result, self._answer = None, self._loop.create_future()
        send()
        self._flush()
        result = await self._answer
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise psycopg.errors.error_from_result(result)
        return result

    def _flush(self) -> None:
        try:
            if self._driver.flush():
                self._loop.add_writer(self._socket, self._flush)
            else:
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._fail(error)

    def _receive(self) -> None:
        try:
            self._driver.consume_input()
            while not self._driver.is_busy():
                result = self._driver.get_result()
                if result is None:
                    self._finish()
                    return
                self._result = result
        except psycopg.Error as error:
            self._fail(error)

    def _finish(self) -> None:
        """Deliver the result once the server is ready for the next command."""
        if self._answer is not None and self._result is not None and not self._answer.done():
            self._answer.set_result(self._result)

    def _time_out(self) -> None:
        self._fail(TimeoutError(f"no answer within {_SILENT_S:g} s"))

    def _fail(self, error: Exception) -> None:
        """Give the connection up: an idle one is not used any more, the query of a busy one gets the error."""
        self._release()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _release(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)


async def _connect(options: Mapping[str, Any]) -> _Connection:
    connection = await psycopg.AsyncConnection.connect(
        autocommit=True, **{**options, "client_encoding": "UTF8"}
    )
    # The store parses JSON, where it needs it.
    connection.adapters.register_loader("json", TextBinaryLoader)
    return _Connection(connection)


def _encode(value: object) -> bytes | None:
    """A parameter in PostgreSQL's text format; the server infers its type from the statement."""
    return None if value is None else str(value).encode()
