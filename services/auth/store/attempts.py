"""Counters of attempts in the database, shared by all replicas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.auth.domain.limits import Attempts, Limit, count_attempt
from services.auth.store.tables import attempts
from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore

_KEEP = timedelta(days=1)  # longer than any limit blocks or remembers; old counters have no effect


class SqlAttemptStore:
    """Counters in SQLite or PostgreSQL; implements `AttemptStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def find_block(self, keys: Sequence[str]) -> datetime | None:
        """See `AttemptStore.find_block`."""
        query = sa.select(attempts.c.blocked_until).where(
            attempts.c.key.in_(keys), attempts.c.blocked_until > self._clock()
        )
        found = await self._db.read(lambda connection: connection.execute(query).scalars().all())
        return max(found, default=None)

    async def note(self, noted: Sequence[tuple[Limit, str]]) -> None:
        """See `AttemptStore.note`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> None:
            # In one order, so that two transactions cannot wait for each other's rows.
            for limit, subject in sorted(noted, key=lambda pair: pair[0].key_of(pair[1])):
                _count(connection, limit, subject=subject, moment=moment)

        await self._db.write(write)

    async def clear(self, keys: Sequence[str]) -> None:
        """See `AttemptStore.clear`."""
        # Most sign-ins follow no failure: a read is cheaper than a write transaction.
        query = sa.select(attempts.c.key).where(attempts.c.key.in_(keys))
        if await self._db.read(lambda connection: connection.execute(query).first()):
            delete = attempts.delete().where(attempts.c.key.in_(keys))
            await self._db.write(lambda connection: connection.execute(delete))

    async def prune(self) -> None:
        """Delete counters whose block ended a day ago."""
        delete = attempts.delete().where(attempts.c.blocked_until < self._clock() - _KEEP)
        await self._db.write(lambda connection: connection.execute(delete))


def _count(connection: sa.Connection, limit: Limit, *, subject: str, moment: datetime) -> None:
    key = limit.key_of(subject)
    first = count_attempt(None, limit, moment=moment)
    insert = insert_ignore(attempts, connection).values(
        key=key, tally=first.count, last_at=first.last_at, blocked_until=first.blocked_until
    )
    if connection.execute(insert).rowcount:
        return
    row = connection.execute(sa.select(attempts).where(attempts.c.key == key).with_for_update()).one_or_none()
    earlier = None if row is None else Attempts(row.tally, row.last_at, row.blocked_until)
    counted = count_attempt(earlier, limit, moment=moment)
    connection.execute(
        attempts.update()
        .where(attempts.c.key == key)
        .values(tally=counted.count, last_at=counted.last_at, blocked_until=counted.blocked_until)
    )
