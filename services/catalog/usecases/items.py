"""One function per RPC, of the same name."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.catalog.domain.entities import OWN_SOURCE, Item
from services.catalog.domain.errors import RevisionNotFoundError, UnsafeDefinitionError
from services.catalog.domain.faults import Fault, Rejection
from services.catalog.domain.interfaces import CatalogStore, SourceStore
from services.catalog.domain.item import build_item
from services.catalog.domain.item_files.loader import Loaded
from services.catalog.domain.publication import publish_items
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition
from services.catalog.domain.renderer.rendered_definition import render_item as render
from services.catalog.domain.renderer.values import RenderRequest, drop_past_inputs
from services.catalog.domain.revisions import RevisionChanges, compare_items
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter, ItemPage
from services.catalog.domain.sources import NewSource, Source

FETCH_LIMIT = timedelta(minutes=15)
"""A fetch that was queued longer ago may be queued again: its worker is gone."""


@dataclass(frozen=True, slots=True)
class CatalogStats:
    """Counts over everything published."""

    total_apps: int
    categories: dict[str, int]
    sources: tuple[str, ...]
    last_updated: datetime | None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The outcome of a reload."""

    total: int
    rejected: tuple[Rejection, ...]


def list_items(catalog: CatalogIndex, wanted: ItemFilter, *, page: ItemPage) -> tuple[int, Sequence[Item]]:
    """Return how many items fit, and those on the page."""
    items = catalog.list_items(wanted)
    return len(items), page.cut(items)


def get_item(catalog: CatalogIndex, item_id: str) -> Item:
    """Return an item.

    Raises:
        ItemNotFoundError: nothing of that id is published.
    """
    return catalog.get_item(item_id)


def search_items(catalog: CatalogIndex, query: str, wanted: ItemFilter) -> Sequence[Item]:
    """Return what matches and fits, best first."""
    return catalog.search_items(query, wanted)


def list_category_items(catalog: CatalogIndex, category: str, wanted: ItemFilter) -> Sequence[Item]:
    """Return the items of a category that fit.

    Raises:
        CategoryNotFoundError: no item is in it.
    """
    return catalog.list_category(category, wanted)


def list_categories(catalog: CatalogIndex) -> list[str]:
    """Return the names of the categories, sorted."""
    return sorted(catalog.categories, key=str.casefold)


def get_catalog_stats(catalog: CatalogIndex) -> CatalogStats:
    """Return the counts."""
    return CatalogStats(
        total_apps=len(catalog.entries),
        categories=dict(sorted(catalog.categories.items())),
        sources=tuple(sorted(catalog.sources)),
        last_updated=catalog.updated_at,
    )


async def reload_catalog(store: CatalogStore, loaded: Loaded) -> Reloaded:
    """Publish what was read from our own files."""
    rejected = tuple(
        Rejection(fault.file, f"line {fault.line}: {fault.message}") for fault in _first(loaded.faults)
    )
    await publish_items(store, OWN_SOURCE, loaded.items, rejected)
    return Reloaded(len(loaded.items), rejected)


def _first(faults: Sequence[Fault]) -> list[Fault]:
    """Return the first fault of each file."""
    return list({fault.file: fault for fault in reversed(faults)}.values())[::-1]


async def render_item(
    catalog: CatalogIndex,
    store: CatalogStore,
    item_id: str,
    *,
    revision: str,
    request: RenderRequest,
    from_revision: str = "",
    host_needs: Collection[str] = (),
) -> RenderedDefinition:
    """Render the newest or the named revision of an item.

    Args:
        catalog: what is published now.
        store: what was ever published.
        item_id: which item.
        revision: empty for the newest.
        request: what is wanted of it.
        from_revision: the one that the values are of; those of inputs that are gone since are left out.
        host_needs: ids of the items that an administrator lets have what they need of the host.

    Raises:
        ItemNotFoundError, RevisionNotFoundError: there is none.
        InvalidError: the inputs do not fit.
        UnsafeDefinitionError: it needs the host, and no administrator allowed it that.
    """
    item = await find_revision(catalog, store, item_id, revision=revision)
    if from_revision not in {"", item.revision}:
        with contextlib.suppress(RevisionNotFoundError):  # then nothing says which values were of inputs
            earlier = await find_revision(catalog, store, item_id, revision=from_revision)
            request = drop_past_inputs(request, earlier, item)
    check_host_needs(item, host_needs)
    return render(item, request)


async def compare_revisions(
    catalog: CatalogIndex, store: CatalogStore, item_id: str, *, from_revision: str, revision: str
) -> RevisionChanges:
    """Return what changes from one revision of an item to another.

    Raises:
        ItemNotFoundError, RevisionNotFoundError: there is no such item, or not the revision to go to.
    """
    after = await find_revision(catalog, store, item_id, revision=revision)
    before = None
    if from_revision:
        with contextlib.suppress(RevisionNotFoundError):
            before = await find_revision(catalog, store, item_id, revision=from_revision)
    return compare_items(before, after)


def check_host_needs(item: Item, permitted: Collection[str]) -> None:
    """Refuse an item that needs the host unless an administrator allowed it: what its author declares is no leave.

    Raises:
        UnsafeDefinitionError: naming what it needs.
    """
    if item.allows and not {item.id, f"{item.source}.*"} & set(permitted):
        needs = ", ".join(sorted(item.allows))
        raise UnsafeDefinitionError(
            f"{item.id} needs {needs} of the host; an administrator allows that with CATALOG_HOST_NEEDS={item.id}"
            + (
                ""
                if item.source == OWN_SOURCE
                else f" or, for all of its source, CATALOG_HOST_NEEDS={item.source}.*"
            )
        )


async def find_revision(catalog: CatalogIndex, store: CatalogStore, item_id: str, *, revision: str) -> Item:
    """Return the newest state of an item, or the revision that is named, current or not.

    Raises:
        ItemNotFoundError, RevisionNotFoundError: there is none.
    """
    if not revision:
        return catalog.get_item(item_id)
    found = catalog.find_item(item_id)
    if found is not None and found.revision == revision:
        return found
    kept = await store.get_revision(item_id, revision)
    return build_item(kept.document, source=kept.source, revision=kept.revision)


def list_revisions(catalog: CatalogIndex, item_ids: Sequence[str]) -> list[Item]:
    """Return the newest state of those of the items that are published; of all when none is named."""
    if not item_ids:
        return list(catalog.items)
    return [item for item_id in item_ids if (item := catalog.find_item(item_id)) is not None]


async def list_sources(store: SourceStore) -> list[Source]:
    """Return all registered sources by name."""
    return await store.list_sources()


async def create_source(store: SourceStore, source: NewSource) -> Source:
    """Register a source; it is fetched in the background.

    Raises:
        SourceDuplicateError: the name is taken.
    """
    return await store.add_source(source)


async def refresh_source(store: SourceStore, source_id: int, *, now: datetime) -> Source:
    """Fetch a source again, in the background.

    Raises:
        SourceNotFoundError: not registered.
        SourceBusyError: it is being fetched.
    """
    return await store.queue_fetch(source_id, stale_before=now - FETCH_LIMIT)


async def queue_due_fetches(store: SourceStore, *, now: datetime) -> list[str]:
    """Queue the fetches of sources whose time has come; return their names."""
    return await store.queue_due_fetches(stale_before=now - FETCH_LIMIT)


async def list_rejections(catalog: CatalogStore, sources: SourceStore, source_id: int) -> Sequence[Rejection]:
    """Return what the last publication of a source left out.

    Raises:
        SourceNotFoundError: not registered.
    """
    source = await sources.get_source(source_id)
    return await catalog.list_rejections(source.name)


async def delete_source(store: SourceStore, source_id: int) -> None:
    """Forget a source and its items; revisions stay for the apps that use them.

    Raises:
        SourceNotFoundError: not registered.
    """
    await store.delete_source(source_id)
