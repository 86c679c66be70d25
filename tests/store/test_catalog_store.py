"""The catalog's store, on both databases, with the tables that its migrations make."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from proximity.catalog.v1 import events_pb2

from services.catalog.config import DATA
from services.catalog.domain.errors import (
    RevisionNotFoundError,
    SourceBusyError,
    SourceDuplicateError,
    SourceNotFoundError,
)
from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import NewRevision
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.publication import load_catalog, publish_items
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.domain.sources import NewSource, SourceFormat, SourceStatus
from services.catalog.sources.own_files import OwnFiles
from services.catalog.store import FETCH_SOURCE, REVISION_PUBLISHED, SqlCatalogStore
from services.catalog.store.catalog_cache import CatalogCache
from services.catalog.store.tables import metadata, outbox
from services.catalog.usecases.reload_catalog import reload_catalog
from services.common.core.clock import now
from services.common.db.database import Database
from tests.store.catalog_db import db

__all__ = ["db"]


@pytest.fixture
def store(db: Database) -> SqlCatalogStore:
    return SqlCatalogStore(db)


def revision(item: str, name: str) -> NewRevision:
    return NewRevision(item, name, f"v{name}", {"id": item, "n": name})


async def list_subjects(db: Database) -> list[str]:
    query = sa.select(outbox.c.subject).order_by(outbox.c.id)
    return list(await db.read(lambda connection: connection.execute(query).scalars().all()))


async def test_the_migrations_make_the_tables_the_store_uses(db: Database) -> None:
    def read(connection: sa.Connection) -> dict[str, set[str]]:
        inspector = sa.inspect(connection)
        return {name: {c["name"] for c in inspector.get_columns(name)} for name in metadata.tables}

    assert await db.read(read) == {
        name: {c.name for c in table.columns} for name, table in metadata.tables.items()
    }


async def test_publishing_replaces_the_whole_of_a_source_and_keeps_every_revision(
    store: SqlCatalogStore,
) -> None:
    await store.publish("builtin", [revision("a", "1"), revision("b", "1")], rejections=[])
    await store.publish("builtin", [revision("a", "2")], rejections=[Rejection("c.yaml", "bad")])
    assert [(r.item_id, r.revision) for r in await store.list_current()] == [("a", "2")]
    old = await store.get_revision("b", "1")
    assert (old.version, old.source, dict(old.document)) == ("v1", "builtin", {"id": "b", "n": "1"})
    assert await store.list_rejections("builtin") == [Rejection("c.yaml", "bad")]
    with pytest.raises(RevisionNotFoundError, match="'a' has no revision '3'"):
        await store.get_revision("a", "3")


async def test_a_publication_is_announced_once_and_the_same_again_not_at_all(
    db: Database, store: SqlCatalogStore
) -> None:
    first = await store.publish("builtin", [revision("a", "1")], rejections=[])
    again = await store.publish("builtin", [revision("a", "1")], rejections=[Rejection("x", "y")])
    assert again.number == first.number
    assert await store.list_rejections("builtin") == [Rejection("x", "y")]
    assert await list_subjects(db) == [REVISION_PUBLISHED]
    second = await store.publish("builtin", [], rejections=[])
    assert second.number > first.number
    newest = await store.get_newest_publication()
    assert newest == second


async def test_sources_do_not_touch_each_other(store: SqlCatalogStore) -> None:
    await store.publish("builtin", [revision("a", "1")], rejections=[])
    source = await store.add_source(NewSource("acme", "https://example.com/t.json", SourceFormat.PORTAINER))
    await store.publish("acme", [revision("acme.a", "1")], rejections=[])
    assert {r.item_id for r in await store.list_current()} == {"a", "acme.a"}
    await store.delete_source(source.id)
    assert {r.item_id for r in await store.list_current()} == {"a"}
    assert (await store.get_revision("acme.a", "1")).source == "acme"
    with pytest.raises(SourceNotFoundError, match="deleted meanwhile"):
        await store.publish("acme", [revision("acme.a", "2")], rejections=[])


async def test_a_source_is_registered_once_and_its_fetch_queued(db: Database, store: SqlCatalogStore) -> None:
    new = NewSource("acme", "https://example.com/t.json", SourceFormat.PORTAINER)
    source = await store.add_source(new)
    assert (source.status, source.item_count, source.last_fetched_at) == (SourceStatus.NEW, 0, None)
    with pytest.raises(SourceDuplicateError, match="acme"):
        await store.add_source(new)
    assert await list_subjects(db) == [FETCH_SOURCE]
    payload = await db.read(lambda connection: connection.execute(sa.select(outbox.c.payload)).scalar_one())
    assert events_pb2.FetchSource.FromString(payload).source_id == source.id
    assert [s.name for s in await store.list_sources()] == ["acme"]


async def test_a_source_is_fetched_once_at_a_time_until_its_worker_is_given_up(
    store: SqlCatalogStore,
) -> None:
    source = await store.add_source(NewSource("acme", "/srv/acme", SourceFormat.COMPOSE))
    with pytest.raises(SourceBusyError, match="acme"):
        await store.queue_fetch(source.id, stale_before=now() - timedelta(minutes=5))
    stale = await store.queue_fetch(source.id, stale_before=now() + timedelta(minutes=5))
    assert stale.status is SourceStatus.FETCHING
    await store.finish_fetch(source.id, error="", item_count=3, rejected_count=1)
    done = await store.get_source(source.id)
    assert (done.status, done.item_count, done.rejected_count) == (SourceStatus.PUBLISHED, 3, 1)
    assert done.last_fetched_at is not None
    await store.queue_fetch(source.id, stale_before=now() - timedelta(minutes=5))
    await store.finish_fetch(source.id, error="no answer", item_count=0, rejected_count=0)
    failed = await store.get_source(source.id)
    assert (failed.status, failed.error, failed.item_count) == (SourceStatus.FAILED, "no answer", 3)


async def test_what_is_not_registered_is_not_found(store: SqlCatalogStore) -> None:
    for call in (store.get_source(9), store.delete_source(9), store.queue_fetch(9, stale_before=now())):
        with pytest.raises(SourceNotFoundError, match="9"):
            await call


async def test_our_own_items_come_back_from_the_database_as_they_went_in(store: SqlCatalogStore) -> None:
    loaded = load_items(OwnFiles(DATA).read_item_files(), source="builtin")
    result = await reload_catalog(CatalogCache(store), store, files=OwnFiles(DATA))
    assert result.total == len(loaded.items)
    catalog = await load_catalog(store)
    read = {item.id: replace(item, added_at=None) for item in catalog.items}
    assert read == {item.id: item for item in CatalogIndex(entry.item for entry in loaded.items).items}
    assert catalog.updated_at is not None
    await publish_items(store, "builtin", items=loaded.items, rejected=[])
    assert (await load_catalog(store)).etag == catalog.etag


async def test_an_item_was_added_when_its_first_revision_was_published(db: Database) -> None:
    first = now()
    moments = [first, first + timedelta(hours=1)]
    store = SqlCatalogStore(db, clock=lambda: moments.pop(0))
    await store.publish("builtin", [revision("a", "1")], rejections=[])
    await store.publish("builtin", [revision("a", "2"), revision("b", "1")], rejections=[])
    added = {found.item_id: found.added_at for found in await store.list_current()}
    assert added == {"a": first, "b": first + timedelta(hours=1)}


async def test_what_was_fetched_for_a_deleted_source_is_not_published_under_another_of_its_name(
    store: SqlCatalogStore,
) -> None:
    first = await store.add_source(NewSource("acme", "https://one.example/apps", SourceFormat.CASAOS))
    await store.delete_source(first.id)
    second = await store.add_source(NewSource("acme", "https://two.example/apps", SourceFormat.CASAOS))
    assert second.id != first.id
    with pytest.raises(SourceNotFoundError):
        await store.publish("acme", [revision("acme.a", "1")], rejections=[], source_id=first.id)
    await store.publish("acme", [revision("acme.a", "2")], rejections=[], source_id=second.id)
