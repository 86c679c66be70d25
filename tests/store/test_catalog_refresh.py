"""Sources fetched of their own accord: when, once over all processes, and what becomes of a fetch that fails."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.catalog.domain.sources import NewSource, SourceFormat, SourceStatus, choose_next_fetch
from services.catalog.sources.process_importer import ProcessImporter
from services.catalog.store import FETCH_SOURCE, SqlCatalogStore
from services.catalog.store.tables import outbox, sources
from services.catalog.usecases.sources import queue_due_fetches
from services.catalog.workflows.fetch_source import fetch_source
from services.common.db.database import Database
from tests.store.catalog_db import db

__all__ = ["db"]

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


class Files:
    """A source of one file."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def fetch_files(self, location: str) -> dict[str, bytes]:
        return {"t.json": self.content}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(db: Database, clock: Clock) -> SqlCatalogStore:
    return SqlCatalogStore(db, clock)


async def add_source(store: SqlCatalogStore, name: str, hours: int = 24) -> int:
    new = NewSource(name, f"https://{name}.example/t.json", SourceFormat.PORTAINER, refresh_hours=hours)
    source_id = (await store.add_source(new)).id
    await store.finish_fetch(source_id, error="", item_count=1, rejected_count=0)
    return source_id


async def count_jobs(db: Database) -> int:
    query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.subject == FETCH_SOURCE)
    return int(await db.read(lambda connection: connection.execute(query).scalar_one()))


async def test_a_source_is_fetched_daily_unless_it_says_otherwise(
    store: SqlCatalogStore, clock: Clock
) -> None:
    await add_source(store, "daily")
    await add_source(store, "hourly", 1)
    await add_source(store, "never", 0)
    assert await queue_due_fetches(store, now=clock()) == []
    clock.time += timedelta(hours=2)
    assert await queue_due_fetches(store, now=clock()) == ["hourly"]
    clock.time += timedelta(hours=26)
    assert await queue_due_fetches(store, now=clock()) == ["hourly", "daily"]
    by_name = {source.name: source for source in await store.list_sources()}
    assert (by_name["daily"].status, by_name["never"].status) == (
        SourceStatus.FETCHING,
        SourceStatus.PUBLISHED,
    )
    assert by_name["never"].next_fetch_at is None


async def test_processes_that_look_at_once_queue_a_fetch_once(
    db: Database, store: SqlCatalogStore, clock: Clock
) -> None:
    await add_source(store, "acme")
    before = await count_jobs(db)
    clock.time += timedelta(days=2)
    found = await asyncio.gather(*(queue_due_fetches(store, now=clock()) for _ in range(4)))
    assert sorted(found) == [[], [], [], ["acme"]]
    assert await count_jobs(db) == before + 1


async def test_a_fetch_under_way_is_left_alone_until_its_worker_is_given_up(
    store: SqlCatalogStore, clock: Clock
) -> None:
    await store.add_source(NewSource("new", "/srv/new", SourceFormat.COMPOSE))
    clock.time += timedelta(minutes=14)
    assert await queue_due_fetches(store, now=clock()) == []
    clock.time += timedelta(minutes=2)
    assert await queue_due_fetches(store, now=clock()) == ["new"]


async def test_a_source_of_an_earlier_release_is_due_at_once(
    db: Database, store: SqlCatalogStore, clock: Clock
) -> None:
    await add_source(store, "old")
    await db.write(lambda connection: connection.execute(sources.update().values(next_fetch_at=None)))
    clock.time += timedelta(hours=1)
    assert await queue_due_fetches(store, now=clock()) == ["old"]


async def test_a_failed_fetch_is_repeated_within_hours_and_keeps_the_items(
    store: SqlCatalogStore, clock: Clock
) -> None:
    source_id = await add_source(store, "acme")
    await store.finish_fetch(source_id, error="no answer", item_count=0, rejected_count=0)
    failed = await store.get_source(source_id)
    assert failed.item_count == 1
    assert failed.next_fetch_at is not None
    assert timedelta(hours=5) < failed.next_fetch_at - clock() < timedelta(hours=7)


async def test_a_source_that_fails_wholly_lists_every_rejection(store: SqlCatalogStore) -> None:
    source = await store.add_source(NewSource("acme", "https://a.example/t.json", SourceFormat.PORTAINER))
    content = b'[{"type": 2, "title": "One"}, {"type": 2, "title": "Two"}]'
    done = await fetch_source(
        store, store, fetcher=Files(content), importer=ProcessImporter(), source_id=source.id
    )
    assert (done.status, done.item_count, done.rejected_count) == (SourceStatus.FAILED, 0, 2)
    assert "1 more" in done.error
    assert [found.file for found in await store.list_rejections("acme")] == ["t.json#one", "t.json#two"]


async def test_items_of_the_last_good_fetch_stay_when_the_next_one_gives_none(
    store: SqlCatalogStore,
) -> None:
    source = await store.add_source(NewSource("acme", "https://a.example/t.json", SourceFormat.PORTAINER))
    good = b'[{"type": 1, "title": "Web", "image": "acme/web:1", "ports": ["80:80"]}]'
    for content in (good, b'[{"type": 2, "title": "One"}]'):
        await fetch_source(
            store, store, fetcher=Files(content), importer=ProcessImporter(), source_id=source.id
        )
    assert [found.item_id for found in await store.list_current()] == ["acme.web"]
    assert len(await store.list_rejections("acme")) == 1


@pytest.mark.parametrize(
    ("hours", "failed", "share", "wanted"),
    [(24, False, 0.5, 24), (24, False, 0, 21.6), (24, False, 1, 26.4), (24, True, 0.5, 6), (2, True, 0.5, 2)],
)
def test_the_next_fetch_is_an_interval_away_with_jitter(
    hours: int, failed: bool, share: float, wanted: float
) -> None:
    due = choose_next_fetch(hours, moment=START, failed=failed, share=lambda: share)
    assert due == START + timedelta(hours=wanted)
    assert choose_next_fetch(0, moment=START) is None
