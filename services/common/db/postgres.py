"""Fast reads from PostgreSQL on the event loop, through a few asynchronous psycopg connections.

A thread pool would cost every read two context switches and contention for the interpreter's lock: several times the
query itself. psycopg_pool's `AsyncConnectionPool` costs 35 µs of CPU per read more than the free list here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.types.string import TextBinaryLoader

from services.common.db.errors import DatabaseUnavailableError, find_fault
from services.common.db.queries import ATTEMPTS, Query, delay_of, is_transient

_SILENT_S = 35.0  # the server itself ends statements after 30
_PREPARED = 500  # statements per connection; a service has fewer
_BROKEN = (psycopg.Error, OSError)


class PostgresReader:
    """Runs queries on at most `limit` connections, opened when they are needed.

    Each statement is prepared when a connection runs it first. A connection that fails, is cancelled midway or stays
    silent is closed, and the query is retried on another one.

    Args:
        engine: names the server and the options of a connection.
        limit: maximum number of connections.
    """

    def __init__(self, engine: sa.Engine, *, limit: int) -> None:
        self._dialect = engine.dialect
        _, self._options = engine.dialect.create_connect_args(engine.url)
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._slots = asyncio.Semaphore(limit)

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """See `Reader`."""
        text, _, fixed = query.render(self._dialect)
        values = {**fixed, **params}
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

    async def _run(self, text: str, values: dict[str, Any]) -> list[Any]:
        async with self._slots:
            connection = self._idle.pop() if self._idle else await self._connect()
            watchdog = asyncio.get_running_loop().call_later(_SILENT_S, _disconnect, connection)
            try:
                cursor = await connection.execute(text, values, prepare=True, binary=True)
                rows = await cursor.fetchall()
            except BaseException:
                with contextlib.suppress(*_BROKEN):
                    await connection.close()
                raise
            finally:
                watchdog.cancel()
            self._idle.append(connection)
            return rows

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(autocommit=True, **self._options)
        connection.prepared_max = _PREPARED
        connection.adapters.register_loader(
            "json", TextBinaryLoader
        )  # the store parses JSON, where it needs it
        return connection


def _disconnect(connection: psycopg.AsyncConnection[Any]) -> None:
    """Shut the socket of a silent connection down: who waits for its answer gets an error at once."""
    with (
        contextlib.suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as copy,
    ):
        copy.shutdown(socket.SHUT_RDWR)
