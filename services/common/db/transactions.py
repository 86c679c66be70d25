"""Transactions of a service's database: meaning of drivers' errors, retries, and the audit entry that commits with a change."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from services.common.core.errors import UnavailableError

_RETRYABLE_STATES = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_FULL_STATES = {"53100"}
# What SQLite says, and what that means. The words are shown by health checks, so they name no path.
_SQLITE_FAULTS = (
    ("malformed", "the database file is damaged"),
    ("not a database", "the database file is damaged"),
    ("unable to open database file", "the database file is missing or may not be opened"),
    ("readonly database", "the database file may not be written"),
    ("disk I/O error", "the disk of the database fails"),
)
REMEDY = "see docs/runbooks.md, A database is damaged or locked"


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer."""


class DatabaseFullError(UnavailableError):
    """The database's disk is full; nothing was written."""


class DatabaseLockedError(DatabaseUnavailableError):
    """Another process has the lock of a SQLite database for longer than any transaction of ours takes."""


class DatabaseDamagedError(DatabaseUnavailableError):
    """The file of a SQLite database cannot be used until a person has done something about it."""


class DatabaseEncodingError(DatabaseUnavailableError):
    """A PostgreSQL database stores text in another encoding than UTF-8: names would be lost or compared by bytes."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"its encoding is {encoding}, not UTF8; create one with CREATE DATABASE name ENCODING 'UTF8' "
            "TEMPLATE template0 and name it in DATABASE_URL"
        )


def check_encoding(connection: Any, _record: object) -> None:
    """Refuse a database that is not in UTF-8.

    Raises:
        DatabaseEncodingError: see there.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseEncodingError(encoding)


def find_fault(error: BaseException | None) -> str:
    """Describe the fault of a SQLite file that an error reports; empty for other errors."""
    if not isinstance(error, sqlite3.Error):
        return ""
    words = str(error)
    found = next((meaning for part, meaning in _SQLITE_FAULTS if part in words), "")
    return f"{found} ({words})" if found else ""


def is_locked(error: BaseException | None) -> bool:
    """Whether another connection has the lock of a SQLite database."""
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


def explain(error: BaseException) -> str:
    """Return the message of a database error in one line."""
    if isinstance(error, UnavailableError):
        return error.message
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if is_locked(cause):
        return "another process has locked the database"
    return find_fault(cause) or " ".join(str(cause).split()) or type(error).__name__


def _sql_state(error: sa.exc.DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def is_full(error: sa.exc.DBAPIError) -> bool:
    """Whether the disk of the database is full."""
    return _sql_state(error) in _FULL_STATES or "database or disk is full" in str(error.orig)


def is_transient(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again."""
    state = _sql_state(error)
    if state in _RETRYABLE_STATES or state.startswith(("08", "57P")):
        return True
    if isinstance(error.orig, sqlite3.OperationalError):
        return is_locked(error.orig)
    return error.connection_invalidated or (isinstance(error, sa.exc.OperationalError) and not state)


T = TypeVar("T")

_ATTEMPTS = 6  # with 1.2 s of delays between them: longer outages are the caller's
_LOCK_WAIT_S = 8.0  # SQLite itself waits 10 s for the lock; once is enough, and the caller still hears why


def run_with_retries(
    runner: Callable[[Callable[[sa.Connection], T]], T], fn: Callable[[sa.Connection], T]
) -> T:
    """Run a function of a connection, in a thread, as often as the database asks for that.

    Raises:
        DatabaseUnavailableError: it does not answer, is locked by another process, or its file cannot be used.
        DatabaseFullError: its disk is full.
        sqlalchemy.exc.DBAPIError: what trying again does not change.
    """
    begun = time.monotonic()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return runner(fn)
        except sa.exc.IntegrityError:
            raise
        except sa.exc.TimeoutError as error:
            raise DatabaseUnavailableError("no connection to the database was free in time") from error
        except sa.exc.DBAPIError as error:
            if is_full(error):
                raise DatabaseFullError("the disk of the database is full") from error
            if fault := find_fault(error.orig):
                raise DatabaseDamagedError(fault) from error
            if not is_transient(error):
                raise
            if is_locked(error.orig) and time.monotonic() - begun > _LOCK_WAIT_S:
                raise DatabaseLockedError("another process has locked the database") from error
            if attempt == _ATTEMPTS:
                raise DatabaseUnavailableError("the database does not answer") from error
            time.sleep(0.02 * 2**attempt)
    raise AssertionError("unreachable")


@dataclass
class PendingEntry:
    """The entry of a call, to be written with the change that the call makes.

    Attributes:
        write: writes the entry on the connection of the change.
        is_written: a change has committed, and the entry with it.
        is_closed: the call has ended; what work of its context writes from now on belongs to no entry.
    """

    write: Callable[[sa.Connection], None]
    is_written: bool = False
    is_closed: bool = False


pending_entry: ContextVar[PendingEntry | None] = ContextVar("pending_audit_entry", default=None)


def find_due() -> PendingEntry | None:
    """The entry that the next transaction of this context has to write, if there is one."""
    entry = pending_entry.get()
    return None if entry is None or entry.is_written or entry.is_closed else entry


def has_committed() -> bool:
    """Whether the call under way has committed a change, with its entry."""
    entry = pending_entry.get()
    return entry is not None and entry.is_written


class UnchangedError(Exception):
    """Raised within a transaction that finds nothing to change: it is rolled back, and `result` is returned."""

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result
