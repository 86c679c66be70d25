"""Probe of a service's database: checks it all the time, and reports in words why it cannot be used.

Queries alone do not tell: a service may serve from memory while its file is damaged, and `SELECT 1` reads no page. Each
look opens the file anew, since a connection that is open reads what it has in memory. It also looks at the space that is
free: a service that writes nothing meets no full disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import DatabaseMeasure
from services.common.db.database import Database
from services.common.db.transactions import find_fault, is_locked

log = get_logger()

FULL = "the disk of the database is full"
_LOOK_S = 2.0  # a fault is in health within three looks, 10 seconds at most
_BUSY_S = 1.0  # a look waits so long for the lock; transactions of ours take milliseconds
_LOCKED_S = 2.5  # two looks in a row without the lock, and without a commit of ours in between
_CHECK_S = 4.0  # between checks of the pages of a file that has changed
_CHECK_SHARE = 20  # a check of the pages takes 1/20 of the time at most: those of large files are rarer
_LEAST_FREE = 1 << 20  # bytes: less does not hold the next pages of the file and its log
_ANSWER_S = 5.0  # for one check, after which the database counts as silent


class DatabaseProbe:
    """Probe of whether the database of a service can be used.

    Args:
        db: of the service.
        least_free: bytes on the disk of a file with fewer of which it counts as full.

    Attributes:
        fault: why not, in words that name no path; empty while it can.
    """

    def __init__(self, db: Database, *, least_free: int = _LEAST_FREE) -> None:
        self._db = db
        self._least_free = least_free
        self.fault = ""
        self._inode = 0
        self._locked_since = 0.0
        self._checked: object = None
        self._check_at = 0.0

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> str:
        """Look once; returns the fault."""
        if self._db.is_sqlite:
            fault = await asyncio.to_thread(self._look_at_file, Path(str(self._db.engine.url.database)))
        else:
            fault = await self._ask_server()
        if fault != self.fault:
            if fault:
                log.error("database_unusable", reason=fault, database=self._db.engine.url.database)
            else:
                log.info("database_usable_again", database=self._db.engine.url.database)
        self.fault = fault
        return fault

    async def _ask_server(self) -> str:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._db.read(lambda connection: connection.execute(sa.text("SELECT 1")).scalar())
        except DomainError as error:
            return error.message
        except TimeoutError:
            return f"the database does not answer within {_ANSWER_S:.0f} s"
        return ""

    def _look_at_file(self, path: Path) -> str:
        began = time.monotonic()
        try:
            state = path.stat()
            self._inode = self._inode or state.st_ino
            if state.st_ino != self._inode:
                return "the database file was replaced while the service runs; restart the service"
            if _count_free(path) < self._least_free:
                return FULL
            uri = f"file:{quote(str(path))}?mode=rw"
            with contextlib.closing(
                sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
            ) as connection:
                return self._try(connection, (state.st_mtime_ns, state.st_size), began=began)
        except FileNotFoundError:
            return "the database file is missing"
        except (sqlite3.Error, OSError) as error:
            if is_locked(error):
                return self._judge_lock(began)
            return find_fault(error) or f"the database cannot be used ({error})"

    def _try(self, connection: sqlite3.Connection, version: object, *, began: float) -> str:
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
            return "the database has no tables: the file was replaced, or not migrated"
        if self.fault or (version != self._checked and began >= self._check_at):
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            self._check_at = time.monotonic() + max(_CHECK_S, _CHECK_SHARE * (time.monotonic() - began))
            if found != "ok":
                return f"the database file is damaged ({' '.join(str(found).split())})"
            self._checked = version
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        self._locked_since = 0.0
        return ""

    def _judge_lock(self, began: float) -> str:
        """The fault, unless the lock was ours meanwhile or has not been away for long."""
        if not self._locked_since or self._db.committed_at > self._locked_since:
            self._locked_since = began
        if time.monotonic() - self._locked_since < _LOCKED_S:
            return self.fault
        return "another process has locked the database"


def _count_free(path: Path) -> int:
    """Count the bytes that this process may still use on the disk of a file; only root may use what is reserved."""
    disk = os.statvfs(path)
    return disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)


_SIZE = sa.text("SELECT pg_database_size(current_database())")
# Rows of other users are visible without their queries; the platform's own sessions have one user.
_SESSIONS = sa.text(
    "SELECT coalesce(state, 'none'), count(*), "
    "coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) "
    "FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
)
_DEADLOCKS = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


async def measure_database(db: Database) -> DatabaseMeasure:
    """Measure the database.

    Raises:
        UnavailableError: it does not answer.
    """
    return await db.read(_measure)


def _measure(connection: sa.Connection) -> DatabaseMeasure:
    if connection.dialect.name != "postgresql":
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
        size = connection.execute(sa.text("PRAGMA page_size")).scalar_one()
        return DatabaseMeasure(size_bytes=pages * size)
    rows = connection.execute(_SESSIONS).all()
    return DatabaseMeasure(
        size_bytes=connection.execute(_SIZE).scalar_one(),
        sessions={str(row[0]): int(row[1]) for row in rows},
        deadlocks=connection.execute(_DEADLOCKS).scalar_one() or 0,
        transaction_age_s=max((float(row[2]) for row in rows), default=0.0),
    )
