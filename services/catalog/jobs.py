"""Consumer and periodic work: fetches of sources, and refreshes after publications of other replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from nats.aio.msg import Msg
from proximity.catalog.v1 import events_pb2

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import SourceNotFoundError
from services.catalog.domain.interfaces import (
    CatalogStore,
    Importer,
    PictureFetcher,
    PictureStore,
    SourceFetcher,
    SourceStore,
    StackFetcher,
)
from services.catalog.store import FETCH_SOURCE, REVISION_PUBLISHED
from services.catalog.store.catalog_cache import CatalogCache
from services.catalog.usecases.sources import queue_due_fetches
from services.catalog.workflows.collect_pictures import collect_pictures
from services.catalog.workflows.fetch_source import fetch_source
from services.common.core.clock import Clock, now
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus
from services.common.messaging.schedule import Periodic

log = get_logger()

_DUE = timedelta(minutes=5)  # a fetch may be so late: little beside the shortest interval, an hour
_POLL = timedelta(seconds=30)  # a lost event leaves this replica behind for so long; costs one small query


@dataclass(frozen=True, kw_only=True)
class FetchJobs:
    """Works the queue of sources to fetch."""

    catalog: CatalogStore
    sources: SourceStore
    fetcher: SourceFetcher
    importer: Importer
    pictures: PictureStore
    picture_fetcher: PictureFetcher
    stacks: StackFetcher | None = None

    def start(self, bus: Bus) -> None:
        """Take jobs from the queue, four at a time, so that a slow address does not delay the other sources."""
        bus.consume("JOBS", FETCH_SOURCE, durable="catalog-fetch", handler=self.handle, concurrency=4)

    async def handle(self, message: Msg) -> None:
        """Fetch the source a message names. Doing it twice publishes the same again, which is nothing."""
        source_id = events_pb2.FetchSource.FromString(message.data).source_id
        work = asyncio.create_task(self._fetch(source_id))
        try:
            # Without reports of progress NATS would deliver the job to another worker.
            while not (await asyncio.wait({work}, timeout=10))[0]:
                await message.in_progress()
            await work
        except SourceNotFoundError:
            log.info("source_gone", source_id=source_id)
        finally:
            work.cancel()

    async def _fetch(self, source_id: int) -> None:
        await fetch_source(
            self.catalog,
            self.sources,
            fetcher=self.fetcher,
            importer=self.importer,
            source_id=source_id,
            stacks=self.stacks,
            on_published=self._collect_pictures,
        )

    async def _collect_pictures(
        self, source: str, items: Sequence[Item], *, files: Mapping[str, bytes]
    ) -> None:
        await collect_pictures(self.pictures, self.picture_fetcher, source=source, items=items, files=files)


def follow_publications(catalog: CatalogCache, bus: Bus) -> Periodic:
    """Refresh the catalog in memory when it was published, and every 30 s in case an event was lost."""
    return Periodic(
        name="catalog_refresh", interval=_POLL, function=catalog.refresh, in_every_process=True
    ).trigger_by(bus, REVISION_PUBLISHED)


def schedule_fetches(sources: SourceStore, wake: Callable[[], None], *, clock: Clock = now) -> Periodic:
    """Queue the fetches of sources whose time has come, every 5 minutes in one process of all replicas."""

    async def queue() -> None:
        if names := await queue_due_fetches(sources, now=clock()):
            log.info("source_fetches_queued", sources=names)
            wake()

    return Periodic(name="queue_due_fetches", interval=_DUE, function=queue)
