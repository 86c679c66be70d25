"""Revocations: written in the transaction of their cause, published to NATS afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.auth.domain.credentials import Revocation
from services.auth.store.tables import refresh_tokens, revocations, sessions
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.identity.tokens import ACCESS_TOKEN_S

# Revoked credentials would have expired by then; ten minutes cover clocks that differ.
_KEEP = timedelta(seconds=ACCESS_TOKEN_S + 600)


@dataclass(frozen=True)
class StoredRevocation(Revocation):
    """A revocation and its row."""

    id: int


def add_revocations(
    connection: sa.Connection, found: Iterable[Revocation], *, moment: datetime
) -> tuple[Revocation, ...]:
    """Write revocations in the transaction of their cause."""
    result = tuple(found)
    if result:
        rows = [{"key": item.key, "cutoff": item.cutoff, "expires_at": moment + _KEEP} for item in result]
        connection.execute(revocations.insert(), rows)
    return result


def end_families(
    connection: sa.Connection, condition: sa.ColumnElement[bool], *, moment: datetime
) -> list[Revocation]:
    """End the running sessions that meet `condition`; the caller adds the revocations.

    The cutoff lies in the future, because a token of the family may be signed right now. A family that ended never
    comes back, so nothing valid is refused.
    """
    query = sa.select(sessions.c.family).where(
        condition, sessions.c.ended_at.is_(None), sessions.c.expires_at > moment
    )
    families = list(connection.execute(query.with_for_update()).scalars())
    if not families:
        return []
    connection.execute(sessions.update().where(sessions.c.family.in_(families)).values(ended_at=moment))
    connection.execute(refresh_tokens.delete().where(refresh_tokens.c.family.in_(families)))
    cutoff = moment.timestamp() + ACCESS_TOKEN_S
    return [Revocation(f"sid.{family}", cutoff) for family in families]


class SqlRevocationStore:
    """Revocations in SQLite or PostgreSQL."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def list_unpublished(self, limit: int) -> list[StoredRevocation]:
        """List the oldest ones that were not published."""
        query = sa.select(revocations).where(revocations.c.published_at.is_(None)).order_by(revocations.c.id)
        rows = await self._db.read(lambda connection: connection.execute(query.limit(limit)).all())
        return [StoredRevocation(row.key, row.cutoff, row.id) for row in rows]

    async def list_current(self) -> list[StoredRevocation]:
        """List those whose credentials may not have expired yet."""
        query = (
            sa.select(revocations).where(revocations.c.expires_at > self._clock()).order_by(revocations.c.id)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [StoredRevocation(row.key, row.cutoff, row.id) for row in rows]

    async def mark_published(self, ids: Sequence[int]) -> None:
        """Record that they are in NATS."""
        change = revocations.update().where(revocations.c.id.in_(ids)).values(published_at=self._clock())
        await self._db.write(lambda connection: connection.execute(change))

    async def prune(self) -> None:
        """Delete those whose credentials have expired."""
        moment = self._clock()
        await self._db.write(
            lambda connection: connection.execute(
                revocations.delete().where(revocations.c.expires_at <= moment)
            )
        )
