"""What an error of a database driver means: which errors pass by themselves, which have to be put right by a person."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

from services.common.core.errors import UnavailableError

_RETRYABLE_STATES = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_FULL_STATES = {"53100"}


class DatabaseFullError(UnavailableError):
    """The database's disk is full; nothing was written."""


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
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    return error.connection_invalidated or (isinstance(error, sa.exc.OperationalError) and not state)
