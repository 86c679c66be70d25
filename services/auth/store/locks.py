"""Locks that a transaction holds until it ends. On SQLite a write transaction excludes all others anyway."""

from __future__ import annotations

import sqlalchemy as sa

ACCOUNTS = 727_101
SIGNING_KEYS = 727_102
AUDIT = 727_103


def lock(connection: sa.Connection, number: int) -> None:
    """Wait for the lock `number` and hold it until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
