"""Advisory locks of transactions. On SQLite a write transaction excludes all others anyway."""

from __future__ import annotations

import sqlalchemy as sa

# Numbers of advisory locks; every service shares the server's number space, so they are unique over services.
ACCOUNTS = 727_101  # decisions over several accounts: unique names, first user, last administrator
SIGNING_KEYS = 727_102  # one replica creates the next key
AUDIT = 727_103  # one transaction at a time appends to the hash chain


def lock(connection: sa.Connection, number: int) -> None:
    """Take the lock `number` until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
