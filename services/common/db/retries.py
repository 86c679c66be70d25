"""Transactions that are tried again: after serialization failures, deadlocks, lost connections, short locks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from services.common.db.errors import (
    DatabaseDamagedError,
    DatabaseFullError,
    DatabaseLockedError,
    DatabaseUnavailableError,
    find_fault,
    is_full,
    is_locked,
    is_transient,
)

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
