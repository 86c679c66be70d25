"""Signing keys in the database, their private halves sealed."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from services.auth.domain.credentials import SigningKey
from services.auth.store.locks import SIGNING_KEYS, lock
from services.auth.store.tables import signing_keys
from services.common.core.clock import Clock, now
from services.common.core.errors import SealBrokenError
from services.common.core.log import get_logger
from services.common.db.database import Database
from services.common.identity.keys import Sealer
from services.common.identity.tokens import ACCESS_TOKEN_S

log = get_logger()

# A key stays published until its last token has expired; ten minutes cover clocks that differ.
_OUTLIVES = timedelta(seconds=ACCESS_TOKEN_S + 600)


class SqlSigningKeyStore:
    """Signing keys in SQLite or PostgreSQL; implements `SigningKeyStore`."""

    def __init__(self, db: Database, sealer: Sealer, *, clock: Clock = now) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock

    async def list_keys(self) -> list[SigningKey]:
        """See `SigningKeyStore.list_keys`."""
        return await self._db.read(lambda connection: self._list(connection, self._clock()))

    async def add_key(self, new: SigningKey, *, signs_before: datetime) -> bool:
        """See `SigningKeyStore.add_key`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> bool:
            # Of replicas that start at once, one creates the key.
            lock(connection, SIGNING_KEYS)
            usable = [key for key in self._list(connection, moment) if key.private and key.expires_at is None]
            if any(key.signs_from >= signs_before for key in usable):
                return False
            signs_from = new.signs_from if usable else moment
            connection.execute(
                signing_keys.update()
                .where(signing_keys.c.expires_at.is_(None))
                .values(expires_at=signs_from + _OUTLIVES)
            )
            connection.execute(
                signing_keys.insert().values(
                    kid=new.kid,
                    public=new.public,
                    sealed_private=self._sealer.seal(new.private or "", place=_place(new.kid)),
                    signs_from=signs_from,
                )
            )
            return True

        return await self._db.write(write)

    async def drop_keys(self) -> None:
        """See `SigningKeyStore.drop_keys`."""
        await self._db.write(lambda connection: connection.execute(signing_keys.delete()))

    async def prune(self) -> None:
        """See `SigningKeyStore.prune`."""
        delete = signing_keys.delete().where(signing_keys.c.expires_at < self._clock())
        await self._db.write(lambda connection: connection.execute(delete))

    def _list(self, connection: sa.Connection, moment: datetime) -> list[SigningKey]:
        query = sa.select(signing_keys).where(
            signing_keys.c.expires_at.is_(None) | (signing_keys.c.expires_at > moment)
        )
        rows = connection.execute(query.order_by(signing_keys.c.signs_from)).all()
        return [
            SigningKey(
                kid=row.kid,
                public=bytes(row.public),
                private=self._open(row.kid, row.sealed_private),
                signs_from=row.signs_from,
                expires_at=row.expires_at,
            )
            for row in rows
        ]

    def _open(self, kid: str, sealed: str) -> str | None:
        try:
            return self._sealer.open(sealed, place=_place(kid))
        except SealBrokenError as error:
            log.warning("signing_key_unreadable", kid=kid, error=str(error))
            return None


def _place(kid: str) -> str:
    return f"signing_keys.private.{kid}"
