"""All SQL of the catalog."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from proximity.catalog.v1 import events_pb2

from services.catalog.domain.entities import OWN_SOURCE, Revision
from services.catalog.domain.errors import (
    RevisionNotFoundError,
    SourceBusyError,
    SourceDuplicateError,
    SourceNotFoundError,
)
from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import NewRevision, Publication
from services.catalog.domain.sources import NewSource, Source, SourceFormat, SourceStatus
from services.catalog.tables import current_items, outbox, publications, rejections, revisions, sources
from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.common.messaging.outbox import add_messages, new_message

REVISION_PUBLISHED = "events.catalog.v1.revision_published"
FETCH_SOURCE = "jobs.catalog.v1.fetch_source"


class SqlCatalogStore:
    """The catalog in SQLite or PostgreSQL; implements `CatalogStore` and `SourceStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

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
            if source != OWN_SOURCE and not _has_source(connection, source, source_id):
                raise SourceNotFoundError(f"the source {source!r} was deleted meanwhile")
            _replace_rejections(connection, source, rejections)
            wanted = {entry.item_id: entry.revision for entry in new}
            newest = _read_newest(connection, source)
            if newest and _read_current(connection, source) == wanted:
                return newest
            _insert_revisions(connection, source, new, moment)
            connection.execute(current_items.delete().where(current_items.c.source == source))
            rows = [{"item_id": key, "revision": value, "source": source} for key, value in wanted.items()]
            if rows:
                connection.execute(current_items.insert(), rows)
            return _announce(connection, source, len(rows), moment)

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

    async def add_source(self, source: NewSource) -> Source:
        """See `SourceStore.add_source`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Source:
            taken = connection.execute(sa.select(sources.c.id).where(sources.c.name == source.name)).first()
            if taken:
                raise SourceDuplicateError(f"a source named {source.name!r} is registered already")
            result = connection.execute(
                sources.insert().values(
                    name=source.name,
                    location=source.location,
                    format=source.format.value,
                    status=SourceStatus.NEW.value,
                    created_at=moment,
                    fetch_queued_at=moment,
                )
            )
            (source_id,) = result.inserted_primary_key or (0,)
            _queue_fetch(connection, source_id)
            return _read_source(connection, source_id)

        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError:
            raise SourceDuplicateError(f"a source named {source.name!r} is registered already") from None

    async def get_source(self, source_id: int) -> Source:
        """See `SourceStore.get_source`."""
        return await self._db.read(lambda connection: _read_source(connection, source_id))

    async def list_sources(self) -> list[Source]:
        """See `SourceStore.list_sources`."""
        query = sa.select(sources).order_by(sources.c.name)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_build_source(row) for row in rows]

    async def queue_fetch(self, source_id: int, *, stale_before: datetime) -> Source:
        """See `SourceStore.queue_fetch`."""
        moment = self._clock()
        under_way = sources.c.status.in_([SourceStatus.NEW.value, SourceStatus.FETCHING.value])

        def write(connection: sa.Connection) -> Source:
            found = _read_source(connection, source_id)
            changed = connection.execute(
                sources.update()
                .where(
                    sources.c.id == source_id,
                    sa.not_(under_way & (sources.c.fetch_queued_at >= stale_before)),
                )
                .values(status=SourceStatus.FETCHING.value, fetch_queued_at=moment)
            )
            if not changed.rowcount:
                raise SourceBusyError(f"the source {found.name!r} is being fetched")
            _queue_fetch(connection, source_id)
            return _read_source(connection, source_id)

        return await self._db.write(write)

    async def finish_fetch(self, source_id: int, *, error: str, item_count: int, rejected_count: int) -> None:
        """See `SourceStore.finish_fetch`."""
        values: dict[str, Any] = {"status": SourceStatus.FAILED.value, "error": error}
        if not error:
            values = {
                "status": SourceStatus.PUBLISHED.value,
                "error": "",
                "item_count": item_count,
                "rejected_count": rejected_count,
                "last_fetched_at": self._clock(),
            }
        statement = sources.update().where(sources.c.id == source_id).values(**values)
        await self._db.write(lambda connection: connection.execute(statement))

    async def delete_source(self, source_id: int) -> None:
        """See `SourceStore.delete_source`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> None:
            source = _read_source(connection, source_id)
            connection.execute(current_items.delete().where(current_items.c.source == source.name))
            connection.execute(rejections.delete().where(rejections.c.source == source.name))
            connection.execute(sources.delete().where(sources.c.id == source_id))
            _announce(connection, source.name, 0, moment)

        await self._db.write(write)


def _has_source(connection: sa.Connection, name: str, source_id: int | None) -> bool:
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


def _replace_rejections(connection: sa.Connection, source: str, new: Sequence[Rejection]) -> None:
    connection.execute(rejections.delete().where(rejections.c.source == source))
    rows = [
        {"source": source, "position": position, "file": entry.file[:400], "error": entry.error}
        for position, entry in enumerate(new)
    ]
    if rows:
        connection.execute(rejections.insert(), rows)


def _insert_revisions(
    connection: sa.Connection, source: str, new: Sequence[NewRevision], moment: datetime
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
        connection.execute(insert_ignore(revisions, connection), rows)


def _announce(connection: sa.Connection, source: str, item_count: int, moment: datetime) -> Publication:
    values = {"source": source, "item_count": item_count, "published_at": moment}
    (number,) = connection.execute(publications.insert().values(**values)).inserted_primary_key or (0,)
    event = events_pb2.RevisionPublished(source=source, revision=str(number), item_count=item_count)
    message = new_message(REVISION_PUBLISHED, event, message_id=f"catalog-publication-{number}")
    add_messages(connection, outbox, [message])
    return Publication(number, source, item_count, moment)


def _queue_fetch(connection: sa.Connection, source_id: int) -> None:
    add_messages(connection, outbox, [new_message(FETCH_SOURCE, events_pb2.FetchSource(source_id=source_id))])


def _read_source(connection: sa.Connection, source_id: int) -> Source:
    row = connection.execute(sa.select(sources).where(sources.c.id == source_id)).one_or_none()
    if row is None:
        raise SourceNotFoundError(f"there is no source {source_id}")
    return _build_source(row)


def _build_source(row: sa.Row[Any]) -> Source:
    return Source(
        id=row.id,
        name=row.name,
        location=row.location,
        format=SourceFormat(row.format),
        status=SourceStatus(row.status),
        error=row.error,
        item_count=row.item_count,
        rejected_count=row.rejected_count,
        last_fetched_at=row.last_fetched_at,
        created_at=row.created_at,
    )


def _build_revision(row: sa.Row[Any]) -> Revision:
    return Revision(
        item_id=row.item_id,
        revision=row.revision,
        version=row.version,
        source=row.source,
        document=json.loads(row.document),
        published_at=row.published_at,
    )
