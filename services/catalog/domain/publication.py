"""Publications: a source is written as a whole, the catalog is read as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.catalog.domain.entities import Revision
from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import CatalogStore, NewRevision
from services.catalog.domain.item import build_item
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.search.catalog_index import CatalogIndex


async def publish_items(
    store: CatalogStore,
    source: str,
    *,
    items: Sequence[LoadedItem],
    rejected: Sequence[Rejection],
    source_id: int | None = None,
) -> None:
    """Replace the items of a source in one transaction; see `CatalogStore.publish`."""
    new = [NewRevision(e.item.id, e.item.revision, e.item.version, e.document) for e in items]
    await store.publish(source, new, rejections=rejected, source_id=source_id)


async def load_catalog(store: CatalogStore) -> CatalogIndex:
    """Read the current revision of every item."""
    newest = await store.get_newest_publication()
    revisions = await store.list_current()
    # Building parses every document: in a thread, so that other calls are answered meanwhile.
    return await asyncio.to_thread(build_index, revisions, newest.published_at if newest else None)


def build_index(revisions: Sequence[Revision], updated_at: datetime | None) -> CatalogIndex:
    """Build the index of the current revisions."""
    items = [
        replace(build_item(r.document, source=r.source, revision=r.revision), added_at=r.added_at)
        for r in revisions
    ]
    return CatalogIndex(items, updated_at)
