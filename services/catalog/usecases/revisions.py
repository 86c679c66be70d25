"""Use cases of revisions, for the service of apps: CompareRevisions and ListRevisions."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from services.catalog.domain.entities import OWN_SOURCE, Item
from services.catalog.domain.errors import RevisionNotFoundError
from services.catalog.domain.interfaces import CatalogStore, OwnItemFiles, PictureStore, PublishedCatalog
from services.catalog.domain.item import build_item
from services.catalog.domain.revisions import ListedRevision, RevisionComparison, compare_items
from services.catalog.domain.search.catalog_index import CatalogIndex


async def compare_revisions(
    catalog: PublishedCatalog, store: CatalogStore, *, item_id: str, from_revision: str, revision: str
) -> RevisionComparison:
    """Return what changes from one revision of an item to another.

    Without `from_revision`, or where nothing of it is stored, everything of the other revision counts as new.

    Raises:
        ItemNotFoundError, RevisionNotFoundError: there is no such item, or not the revision to go to.
    """
    index = await catalog.find_index(item_id)
    after = await get_revision(index, store, item_id=item_id, revision=revision)
    before = None
    if from_revision:
        with contextlib.suppress(RevisionNotFoundError):
            before = await get_revision(index, store, item_id=item_id, revision=from_revision)
    return compare_items(before, after)


async def list_revisions(
    catalog: PublishedCatalog, item_ids: Sequence[str], *, files: OwnItemFiles, pictures: PictureStore
) -> list[ListedRevision]:
    """Return the newest revision of those of the items that are published; of all when none is named."""
    # A caller that has heard of a publication may call before this replica has heard of it.
    await catalog.refresh()
    index = catalog.index
    listed = [index.find_item(item_id) for item_id in item_ids] if item_ids else index.items
    items = [item for item in listed if item is not None]
    fetched = await pictures.list_stored()
    return [
        ListedRevision(
            item,
            has_icon=files.has_icon(item.icon)
            if item.source == OWN_SOURCE
            else (item.source, item.icon) in fetched,
        )
        for item in items
    ]


async def get_revision(catalog: CatalogIndex, store: CatalogStore, *, item_id: str, revision: str) -> Item:
    """Return the newest revision of an item, or the named one, current or not.

    Raises:
        ItemNotFoundError, RevisionNotFoundError: there is none.
    """
    if not revision:
        return catalog.get_item(item_id)
    current = catalog.find_item(item_id)
    if current is not None and current.revision == revision:
        return current
    stored = await store.get_revision(item_id, revision)
    return build_item(stored.document, source=stored.source, revision=stored.revision)
