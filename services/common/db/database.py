"""One database per service: SQLite by default, PostgreSQL for real. SQLAlchemy Core, no ORM.

A store's method is one or two functions of a connection, run in a thread: `await db.read(fn)` and
`await db.write(fn)`. `write` is one transaction; it runs the function again when the database asks for that
(serialization failure, deadlock, lock, lost connection before the commit), so the function does nothing but SQL.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from services.common.db.queries import Query, Reader, ThreadReader
from services.common.db.transactions import (
    DatabaseFullError,
    DatabaseUnavailableError,
    UnchangedError,
    check_encoding,
    find_due,
    run_with_retries,
)

T = TypeVar("T")

# What was accepted outlives a power failure too; it costs a deployment less than its times differ by. The tests of this
# process, which loses nothing but temporary files, set it to OFF: most of their time they would wait for the disk.
SQLITE_SYNCHRONOUS = "FULL"
_REMEMBERED_S = 8.0  # what waits is tried again sooner, and a repaired disk is in health within 10 s
_SERVERS = re.compile(r"//([^@/]*@)?([^@/?]+,[^@/?]+)(/[^?]*)\??(.*)")


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A time in UTC, to the microsecond; on SQLite as ISO text, which sorts like time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert a value for the driver."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Convert a value of the driver."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def url_for_service(url: str, service: str) -> str:
    """The URL of one service's database.

    `sqlite:///dir/name.sqlite3` becomes `sqlite:///dir/name-<service>.sqlite3`. A PostgreSQL URL stays as it is; the
    service works in the schema of its name. It may name a server and its standbys, as libpq has it:
    `postgresql://db-1:5432,db-2:5432/name?target_session_attrs=read-write`.

    Raises:
        ValueError: neither SQLite nor PostgreSQL.
    """
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        return f"sqlite:///{path.with_name(f'{path.stem}-{service}{path.suffix}')}"
    if re.match(r"postgres(ql)?(\+psycopg)?://", url):
        return _SERVERS.sub(
            _list_servers, re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url)
        )
    raise ValueError(f"DATABASE_URL must begin with sqlite:/// or postgresql://, not {url.split(':', 1)[0]}")


def _list_servers(url: re.Match[str]) -> str:
    """Servers as SQLAlchemy wants them, which takes one only where libpq takes a list."""
    user, servers, name, options = url.groups()
    pairs = [server.partition(":") for server in servers.split(",")]
    hosts, ports = (
        ",".join(part) for part in zip(*((host, port or "5432") for host, _, port in pairs), strict=True)
    )
    return f"//{user or ''}{name}?host={hosts}&port={ports}{'&' if options else ''}{options}"


def _lower(value: str | bytes | float | None) -> str | bytes | float | None:
    """Fold the case of a text; any other value of SQLite stays as it is.

    Python lowers a Greek sigma by its place in the text, so that a part of a text would not be found in it; PostgreSQL does not.
    """
    return value.casefold() if isinstance(value, str) else value


def create_engine(url: str, *, service: str, pool_size: int = 4) -> sa.Engine:
    """An engine on the database of `service`; makes the directory of a SQLite file."""
    target = url_for_service(url, service)
    if target.startswith("sqlite"):
        return _create_sqlite_engine(target, pool_size)
    options = {
        "connect_timeout": "5",
        "client_encoding": "UTF8",  # a database in SQL_ASCII would answer in bytes
        "options": f"-csearch_path={service} -cstatement_timeout=30000",
    }
    engine = sa.create_engine(
        sa.make_url(target).update_query_dict(options),  # in the URL, so that `PostgresReader` has them too
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_recycle=1800,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", check_encoding)
    return engine


def _create_sqlite_engine(target: str, pool_size: int) -> sa.Engine:
    Path(target.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        target,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        hide_parameters=True,  # errors are logged, and what is written may be secret
        connect_args={"timeout": 10, "check_same_thread": False, "isolation_level": None},
    )

    @sa.event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        synchronous = f"synchronous={SQLITE_SYNCHRONOUS}"
        for pragma in ("journal_mode=WAL", synchronous, "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own knows ASCII only: a search would miss `Größe` that PostgreSQL finds. No index is over it.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


class Database:
    """Runs functions of a connection in a small pool of threads.

    Args:
        engine: from `create_engine`.
        threads: how many run at once; as many connections are used at most.
    """

    def __init__(self, engine: sa.Engine, *, threads: int = 4) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.committed_at = 0.0  # on the monotonic clock
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="db")
        # Writers of SQLite wait in threads of their own while another process has the lock: reads go on.
        self._writers = (
            ThreadPoolExecutor(threads, thread_name_prefix="db-write") if self.is_sqlite else self._threads
        )
        self._reader = _make_reader(engine, self._threads, limit=max(1, threads - 1))
        self._write_engine = engine.execution_options(begin="IMMEDIATE")
        self._full_at = -_REMEMBERED_S

    @property
    def is_full(self) -> bool:
        """Whether the disk was full at a write of the last seconds. Writes without effect prove nothing."""
        return time.monotonic() - self._full_at < _REMEMBERED_S

    async def read(self, fn: Callable[[sa.Connection], T]) -> T:
        """Run `fn` on a connection; what it writes is rolled back.

        Raises:
            DatabaseUnavailableError: the database did not answer, after retries.
        """
        return await self._run(self._threads, self._read, fn=fn)

    async def write(self, fn: Callable[[sa.Connection], T], *, is_final: bool = True) -> T:
        """Run `fn` in a transaction and commit it. `fn` may run more than once.

        The audit entry of the call under way commits in the same transaction (`PendingEntry`): a change is never without
        its entry. `fn` raises `UnchangedError` where it finds nothing to change, so that no entry says otherwise.

        Args:
            fn: does nothing but SQL.
            is_final: False for a write after which the call may still be refused, and for what is no change of the
                call's own; the entry waits for a later one, or for the end of the call.

        Raises:
            DatabaseUnavailableError: the database did not answer; it is unknown whether the commit took place
                only if the connection broke during it.
            DatabaseFullError: the disk is full.
            sqlalchemy.exc.IntegrityError: a constraint does not hold; the store that knows it translates it.
        """
        run = contextvars.copy_context().run  # what is written down may name the trace
        entry = find_due() if is_final else None

        def change(connection: sa.Connection) -> T:
            result = run(fn, connection)
            if entry is not None:
                run(entry.write, connection)
            return result

        def commit(change: Callable[[sa.Connection], T]) -> T:
            result = self._write(change)
            if entry is not None:
                entry.is_written = True  # here, since the caller may have hung up meanwhile
            return result

        try:
            return await self._run(self._writers, commit, fn=change)
        except UnchangedError as nothing:
            unchanged: T = nothing.result
            return unchanged
        except DatabaseFullError:
            self._full_at = time.monotonic()
            raise

    async def fetch(self, query: Query, params: dict[str, Any]) -> list[Any]:
        """The rows of a query that must be fast; see `Reader`.

        Raises:
            DatabaseUnavailableError: the database did not answer, after retries.
        """
        return await self._reader.fetch(query, params)

    def count_in_use(self) -> int:
        """Count the connections of the pool that are in use."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    async def close(self) -> None:
        """Let running functions end, then close every connection."""
        await asyncio.to_thread(self._writers.shutdown)
        await asyncio.to_thread(self._threads.shutdown)
        await self._reader.close()
        self.engine.dispose()

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        runner: Callable[[Callable[[sa.Connection], T]], T],
        *,
        fn: Callable[[sa.Connection], T],
    ) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, run_with_retries, runner, fn)

    def _read(self, fn: Callable[[sa.Connection], T]) -> T:
        with self.engine.connect() as connection:
            return fn(connection)

    def _write(self, fn: Callable[[sa.Connection], T]) -> T:
        with self._write_engine.connect() as connection:
            transaction = connection.begin()
            try:
                result = fn(connection)
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise DatabaseUnavailableError(
                        "the connection to the database broke during a commit"
                    ) from error
                raise
            self.committed_at = time.monotonic()
            return result


def _make_reader(engine: sa.Engine, threads: ThreadPoolExecutor, *, limit: int) -> Reader:
    if engine.dialect.name == "sqlite":
        return ThreadReader(engine, threads, limit=limit)
    from services.common.db.postgres import PostgresReader

    return PostgresReader(engine, limit=limit)


def insert_ignore(table: sa.Table, connection: sa.Connection) -> Any:
    """An INSERT that does nothing when the row is there already, in the connection's dialect.

    Its result's `rowcount` is 1 or 0, also on PostgreSQL, where an INSERT has none unless it is requested.
    """
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
