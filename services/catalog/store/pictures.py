"""SQL of the pictures of imported items."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from services.catalog.domain.pictures import Picture
from services.catalog.store.tables import pictures
from services.common.core.clock import Clock, now
from services.common.db.database import Database


class SqlPictureStore:
    """Pictures in SQLite or PostgreSQL; implements `PictureStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def find_picture(self, source: str, location: str) -> Picture | None:
        """See `PictureStore.find_picture`."""
        query = sa.select(pictures.c.content_type, pictures.c.content).where(
            pictures.c.source == source, pictures.c.location == location, pictures.c.error == ""
        )
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        return Picture(row.content_type, bytes(row.content)) if row else None

    async def list_stored(self) -> set[tuple[str, str]]:
        """See `PictureStore.list_stored`."""
        query = sa.select(pictures.c.source, pictures.c.location).where(pictures.c.error == "")
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {(row.source, row.location) for row in rows}

    async def list_known(self, source: str, *, failed_after: datetime) -> Mapping[str, int]:
        """See `PictureStore.list_known`."""
        is_known = (pictures.c.error == "") | (pictures.c.fetched_at > failed_after)
        size = sa.func.length(pictures.c.content).label("size")
        query = sa.select(pictures.c.location, size).where(pictures.c.source == source, is_known)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {row.location: row.size for row in rows}

    async def set_picture(
        self, source: str, location: str, *, picture: Picture | None, error: str = ""
    ) -> None:
        """See `PictureStore.set_picture`."""
        values = {
            "source": source,
            "location": location,
            "content_type": picture.content_type if picture else "",
            "content": picture.content if picture else b"",
            "error": error[:400],
            "fetched_at": self._clock(),
        }

        def write(connection: sa.Connection) -> None:
            # Both databases have an upsert, but each in a dialect of its own.
            known = (pictures.c.source == source) & (pictures.c.location == location)
            connection.execute(pictures.delete().where(known))
            connection.execute(pictures.insert().values(**values))

        await self._db.write(write)

    async def remove_others(self, source: str, locations: Collection[str]) -> None:
        """See `PictureStore.remove_others`."""

        def write(connection: sa.Connection) -> None:
            query = sa.select(pictures.c.location).where(pictures.c.source == source)
            gone = [one for one in connection.execute(query).scalars() if one not in locations]
            for location in gone:
                known = (pictures.c.source == source) & (pictures.c.location == location)
                connection.execute(pictures.delete().where(known))

        await self._db.write(write)
