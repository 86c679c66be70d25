"""SQL of the registered sources: their fetches, and the rejections of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from proximity.catalog.v1 import events_pb2

from services.catalog.domain.errors import SourceBusyError, SourceDuplicateError, SourceNotFoundError
from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import Publication
from services.catalog.domain.sources import (
    NewSource,
    Source,
    SourceChanges,
    SourceFormat,
    SourceStatus,
    choose_next_fetch,
)
from services.catalog.store.tables import current_items, outbox, pictures, publications, rejections, sources
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.messaging.outbox import add_messages, new_message

# Subjects are a contract with consumers of other releases: they are not renamed.
REVISION_PUBLISHED = "events.catalog.v1.revision_published"
FETCH_SOURCE = "jobs.catalog.v1.fetch_source"


class SqlSourceStore:
    """The registered sources in SQLite or PostgreSQL; implements `SourceStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

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
                    refresh_hours=source.refresh_hours,
                )
            )
            (source_id,) = result.inserted_primary_key or (0,)
            # In the same transaction: a source that nobody fetches would stay `new` for ever.
            _queue_fetch(connection, source_id)
            return _read_source(connection, source_id)

        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError:  # another process registered the name between the check and the insert
            raise SourceDuplicateError(f"a source named {source.name!r} is registered already") from None

    async def get_source(self, source_id: int) -> Source:
        """See `SourceStore.get_source`."""
        return await self._db.read(lambda connection: _read_source(connection, source_id))

    async def list_sources(self) -> list[Source]:
        """See `SourceStore.list_sources`."""
        query = sa.select(sources).order_by(sources.c.name)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_build_source(row) for row in rows]

    async def update_source(self, source_id: int, changes: SourceChanges) -> Source:
        """See `SourceStore.update_source`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Source:
            found = _read_source(connection, source_id)
            values: dict[str, Any] = {}
            if changes.allow_host_needs is not None:
                values["allow_host_needs"] = changes.allow_host_needs
            if changes.refresh_hours not in {None, found.refresh_hours}:
                last = found.last_fetched_at or moment
                values["refresh_hours"] = changes.refresh_hours
                values["next_fetch_at"] = choose_next_fetch(changes.refresh_hours or 0, moment=last)
            if values:
                connection.execute(sources.update().where(sources.c.id == source_id).values(**values))
            return _read_source(connection, source_id)

        return await self._db.write(write)

    async def allows_host_needs(self, name: str) -> bool:
        """See `SourceStore.allows_host_needs`."""
        query = sa.select(sources.c.allow_host_needs).where(sources.c.name == name)
        return bool(await self._db.read(lambda connection: connection.execute(query).scalar()))

    async def queue_fetch(self, source_id: int, *, stale_before: datetime) -> Source:
        """See `SourceStore.queue_fetch`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Source:
            found = _read_source(connection, source_id)
            if not _mark_fetching(connection, found, condition=~_under_way(stale_before), moment=moment):
                raise SourceBusyError(f"the source {found.name!r} is being fetched")
            return _read_source(connection, source_id)

        return await self._db.write(write)

    async def queue_due_fetches(self, *, stale_before: datetime) -> list[str]:
        """See `SourceStore.queue_due_fetches`."""
        moment = self._clock()
        # Rows of a release before this one have no time yet.
        is_time = sources.c.next_fetch_at.is_(None) | (sources.c.next_fetch_at <= moment)
        is_due = is_time & (sources.c.refresh_hours > 0) & ~_under_way(stale_before)

        def write(connection: sa.Connection) -> list[str]:
            query = sa.select(sources).where(is_due).order_by(sources.c.next_fetch_at)
            found = [_build_source(row) for row in connection.execute(query)]
            return [
                source.name
                for source in found
                if _mark_fetching(connection, source, condition=is_due, moment=moment)
            ]

        return await self._db.write(write)

    async def finish_fetch(
        self,
        source_id: int,
        *,
        error: str,
        item_count: int,
        rejected_count: int,
        rejected: Sequence[Rejection] = (),
    ) -> None:
        """See `SourceStore.finish_fetch`."""
        moment = self._clock()
        values: dict[str, Any] = {"status": SourceStatus.FAILED.value, "error": error}
        if not error:
            values = {
                "status": SourceStatus.PUBLISHED.value,
                "error": "",
                "item_count": item_count,
                "rejected_count": rejected_count,
                "last_fetched_at": moment,
            }
        elif rejected:
            values["rejected_count"] = len(rejected)

        def write(connection: sa.Connection) -> None:
            query = sa.select(sources.c.name, sources.c.refresh_hours).where(sources.c.id == source_id)
            found = connection.execute(query).one_or_none()
            if found is None:
                return
            due = choose_next_fetch(found.refresh_hours, moment=moment, failed=bool(error))
            statement = sources.update().where(sources.c.id == source_id)
            connection.execute(statement.values(**values, next_fetch_at=due))
            if error and rejected:
                replace_rejections(connection, found.name, new=rejected)

        await self._db.write(write)

    async def delete_source(self, source_id: int) -> None:
        """See `SourceStore.delete_source`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> None:
            source = _read_source(connection, source_id)
            connection.execute(current_items.delete().where(current_items.c.source == source.name))
            connection.execute(rejections.delete().where(rejections.c.source == source.name))
            connection.execute(pictures.delete().where(pictures.c.source == source.name))
            connection.execute(sources.delete().where(sources.c.id == source_id))
            announce(connection, source.name, item_count=0, moment=moment)

        await self._db.write(write)


def announce(connection: sa.Connection, source: str, *, item_count: int, moment: datetime) -> Publication:
    """Record that a source was published, and announce it with the commit."""
    values = {"source": source, "item_count": item_count, "published_at": moment}
    (number,) = connection.execute(publications.insert().values(**values)).inserted_primary_key or (0,)
    event = events_pb2.RevisionPublished(source=source, revision=str(number), item_count=item_count)
    message = new_message(REVISION_PUBLISHED, event, message_id=f"catalog-publication-{number}")
    add_messages(connection, outbox, messages=[message])
    return Publication(number, source, item_count, moment)


def replace_rejections(connection: sa.Connection, source: str, *, new: Sequence[Rejection]) -> None:
    """Replace the rejections of the last fetch of a source."""
    connection.execute(rejections.delete().where(rejections.c.source == source))
    rows = [
        {"source": source, "position": position, "file": entry.file[:400], "error": entry.error}
        for position, entry in enumerate(new)
    ]
    if rows:
        connection.execute(rejections.insert(), rows)


def _under_way(stale_before: datetime) -> sa.ColumnElement[bool]:
    is_open = sources.c.status.in_([SourceStatus.NEW.value, SourceStatus.FETCHING.value])
    return is_open & (sources.c.fetch_queued_at >= stale_before)


def _mark_fetching(
    connection: sa.Connection, source: Source, *, condition: sa.ColumnElement[bool], moment: datetime
) -> bool:
    """Mark a source as being fetched and queue the work, if it still meets a condition; return whether it did."""
    statement = (
        sources.update()
        .where(sources.c.id == source.id, condition)
        .values(
            status=SourceStatus.FETCHING.value,
            fetch_queued_at=moment,
            next_fetch_at=choose_next_fetch(source.refresh_hours, moment=moment),
        )
    )
    if not connection.execute(statement).rowcount:
        return False
    _queue_fetch(connection, source.id)
    return True


def _queue_fetch(connection: sa.Connection, source_id: int) -> None:
    add_messages(
        connection, outbox, messages=[new_message(FETCH_SOURCE, events_pb2.FetchSource(source_id=source_id))]
    )


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
        refresh_hours=row.refresh_hours,
        allow_host_needs=row.allow_host_needs,
        next_fetch_at=row.next_fetch_at,
    )
