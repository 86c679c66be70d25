"""Meaning of errors of database drivers: those that pass by themselves, and those that need an operator."""

from __future__ import annotations

import sqlite3

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
