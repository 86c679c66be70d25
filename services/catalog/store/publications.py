"""SQL of publications: revisions, and which of them are current."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.catalog.domain.entities import OWN_SOURCE, Revision
from services.catalog.domain.errors import (
    RevisionNotFoundError,
    SourceNotFoundError,
)
from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import NewRevision, Publication
from services.catalog.store.sources import SqlSourceStore, announce, replace_rejections
from services.catalog.store.tables import current_items, publications, rejections, revisions, sources
from services.common.db.database import insert_ignore


class SqlCatalogStore(SqlSourceStore):
    """The catalog in SQLite or PostgreSQL; implements `CatalogStore` and `SourceStore`."""

    async def publish(
        self,
        source: str,
        new: Sequence[NewRevision],
        *,
        rejections: Sequence[Rejection],
        source_id: int | None = None,
    ) -> Publication:
        """See `CatalogStore.publish`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Publication:
            # In the same transaction as the writes: a deletion may come between a fetch and its publication.
            if source != OWN_SOURCE and not _has_source(connection, source, source_id=source_id):
                raise SourceNotFoundError(f"the source {source!r} was deleted meanwhile")
            replace_rejections(connection, source, new=rejections)
            wanted = {entry.item_id: entry.revision for entry in new}
            # Without this check every restart would announce a publication, and every replica would reload.
            newest = _read_newest(connection, source)
            if newest and _read_current(connection, source) == wanted:
                return newest
            _insert_revisions(connection, source, new=new, moment=moment)
            connection.execute(current_items.delete().where(current_items.c.source == source))
            rows = [{"item_id": key, "revision": value, "source": source} for key, value in wanted.items()]
            if rows:
                connection.execute(current_items.insert(), rows)
            return announce(connection, source, item_count=len(rows), moment=moment)

        return await self._db.write(write)

    async def get_newest_publication(self) -> Publication | None:
        """See `CatalogStore.get_newest_publication`."""
        return await self._db.read(_read_newest)

    async def list_current(self) -> list[Revision]:
        """See `CatalogStore.list_current`."""
        match = (revisions.c.item_id == current_items.c.item_id) & (
            revisions.c.revision == current_items.c.revision
        )
        first = sa.select(revisions.c.item_id, sa.func.min(revisions.c.published_at).label("added_at"))
        added = first.group_by(revisions.c.item_id).subquery()
        query = (
            sa.select(revisions, added.c.added_at)
            .join(current_items, match)
            .join(added, added.c.item_id == revisions.c.item_id)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [replace(_build_revision(row), added_at=row.added_at) for row in rows]

    async def get_revision(self, item_id: str, revision: str) -> Revision:
        """See `CatalogStore.get_revision`."""
        query = sa.select(revisions).where(revisions.c.item_id == item_id, revisions.c.revision == revision)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise RevisionNotFoundError(f"{item_id[:100]!r} has no revision {revision[:64]!r}")
        return _build_revision(row)

    async def list_rejections(self, source: str) -> list[Rejection]:
        """See `CatalogStore.list_rejections`."""
        query = sa.select(rejections).where(rejections.c.source == source).order_by(rejections.c.position)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [Rejection(row.file, row.error) for row in rows]


def _has_source(connection: sa.Connection, name: str, *, source_id: int | None) -> bool:
    query = sa.select(sources.c.id).where(sources.c.name == name)
    if source_id is not None:
        query = query.where(sources.c.id == source_id)
    return connection.execute(query).first() is not None


def _read_newest(connection: sa.Connection, source: str | None = None) -> Publication | None:
    query = sa.select(publications).order_by(publications.c.number.desc()).limit(1)
    if source is not None:
        query = query.where(publications.c.source == source)
    row = connection.execute(query).one_or_none()
    return Publication(row.number, row.source, row.item_count, row.published_at) if row else None


def _read_current(connection: sa.Connection, source: str) -> dict[str, str]:
    query = sa.select(current_items.c.item_id, current_items.c.revision).where(
        current_items.c.source == source
    )
    return {row.item_id: row.revision for row in connection.execute(query)}


def _insert_revisions(
    connection: sa.Connection, source: str, *, new: Sequence[NewRevision], moment: datetime
) -> None:
    rows = [
        {
            "item_id": entry.item_id,
            "revision": entry.revision,
            "version": entry.version,
            "source": source,
            "document": json.dumps(entry.document),
            "published_at": moment,
        }
        for entry in new
    ]
    if rows:
        # A revision is named by its content, so one that exists already is the same.
        connection.execute(insert_ignore(revisions, connection), rows)


def _build_revision(row: sa.Row[Any]) -> Revision:
    return Revision(
        item_id=row.item_id,
        revision=row.revision,
        version=row.version,
        source=row.source,
        document=json.loads(row.document),
        published_at=row.published_at,
    )
