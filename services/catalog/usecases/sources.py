"""Use cases of sources: registration, fetches, rejections and deletion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import CatalogStore, PublishedCatalog, SourceStore
from services.catalog.domain.sources import NewSource, Source, SourceChanges

# A fetch that was queued longer ago may be queued again: its worker has died. A fetch ends after 14 minutes at most.
FETCH_LIMIT = timedelta(minutes=15)


async def list_sources(catalog: PublishedCatalog, store: SourceStore) -> list[Source]:
    """Return all registered sources by name."""
    sources = await store.list_sources()
    await catalog.refresh()  # so that a source is published here only when its items can be read here as well
    return sources


async def create_source(store: SourceStore, source: NewSource) -> Source:
    """Register a source; it is fetched in the background.

    Raises:
        SourceDuplicateError: the name is taken.
    """
    return await store.add_source(source)


async def update_source(store: SourceStore, source_id: int, *, changes: SourceChanges) -> Source:
    """Change the interval of a source, or what its items may have.

    Raises:
        SourceNotFoundError: not registered.
    """
    return await store.update_source(source_id, changes)


async def refresh_source(store: SourceStore, source_id: int, *, now: datetime) -> Source:
    """Queue another fetch of a source.

    Raises:
        SourceNotFoundError: not registered.
        SourceBusyError: it is being fetched.
    """
    return await store.queue_fetch(source_id, stale_before=now - FETCH_LIMIT)


async def queue_due_fetches(store: SourceStore, *, now: datetime) -> list[str]:
    """Queue the fetches of all sources that are due; return the names of these sources."""
    return await store.queue_due_fetches(stale_before=now - FETCH_LIMIT)


async def list_rejections(
    catalog: CatalogStore, sources: SourceStore, *, source_id: int
) -> Sequence[Rejection]:
    """Return the entries that the last fetch of a source left out, with the reasons.

    Raises:
        SourceNotFoundError: not registered.
    """
    source = await sources.get_source(source_id)
    return await catalog.list_rejections(source.name)


async def delete_source(catalog: PublishedCatalog, store: SourceStore, *, source_id: int) -> None:
    """Delete a source and its items; revisions stay for the apps that use them.

    Raises:
        SourceNotFoundError: not registered.
    """
    await store.delete_source(source_id)
    await catalog.refresh()
