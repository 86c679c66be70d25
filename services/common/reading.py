"""Reads that must be fast: a statement compiled once, run by the driver itself in one round trip.

`Database.read` takes a connection of a pool, begins and ends a transaction, and turns every value into its type:
five times the work of the query. A `Query` is SQLAlchemy Core too, but runs on a connection of the thread's own,
in autocommit, as a prepared statement, and gives rows as the driver has them: JSON columns as text, times by
`parse_time`.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.common.errors import UnavailableError

_ATTEMPTS = 6


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


class Reader:
    """Runs queries, each thread on a connection of its own.

    Args:
        engine: makes the connections.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._local = threading.local()
        self._opened: set[Any] = set()

    def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """The rows of a query.

        Raises:
            DatabaseUnavailableError: the database did not answer, after retries.
        """
        text, order, fixed = query.render(self._engine.dialect)
        values: Any = {**fixed, **params}
        if order:
            values = [values[name] for name in order]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._run(text, values)
            except self._engine.dialect.loaded_dbapi.Error as error:
                self._drop()
                if not _is_transient(error) or attempt == _ATTEMPTS:
                    raise DatabaseUnavailableError("the database does not answer") from error
            except sa.exc.DBAPIError as error:  # of connecting
                if attempt == _ATTEMPTS:
                    raise DatabaseUnavailableError("the database does not answer") from error
            time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close every connection."""
        for connection in self._opened:
            connection.close()

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
        cursor = self._local.cursor
        self._local.cursor = None
        self._opened.discard(cursor.connection)
        cursor.connection.close()


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
