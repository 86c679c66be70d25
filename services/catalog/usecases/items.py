"""Use cases of items: lists, search, categories and counts, read from the catalog in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.catalog.domain.entities import Item
from services.catalog.domain.interfaces import OwnItemFiles, PublishedCatalog
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter, ItemPage


@dataclass(frozen=True, slots=True)
class ItemList:
    """Items of a list, of which there are `total` on all pages."""

    items: Sequence[Item]
    total: int


@dataclass(frozen=True, slots=True)
class CatalogStats:
    """Counts over all published items."""

    total_apps: int
    categories: dict[str, int]
    sources: tuple[str, ...]
    last_updated: datetime | None


def list_items(catalog: CatalogIndex, wanted: ItemFilter, *, page: ItemPage) -> ItemList:
    """Return the items that pass the filter and are on the page.

    Raises:
        InvalidError: nothing is published of the id that the page begins behind.
    """
    items = catalog.list_items(wanted)
    behind = catalog.select_behind(items, page.after) if page.after else items
    return ItemList(page.cut(behind), len(items))


async def get_item(catalog: PublishedCatalog, item_id: str) -> Item:
    """Return an item.

    Raises:
        ItemNotFoundError: nothing of that id is published.
    """
    return (await catalog.find_index(item_id)).get_item(item_id)


def search_items(catalog: CatalogIndex, query: str, *, wanted: ItemFilter) -> ItemList:
    """Return the items that match a query and pass the filter, best first."""
    items = catalog.search_items(query, wanted)
    return ItemList(items, len(items))


def list_category_items(catalog: CatalogIndex, category: str, *, wanted: ItemFilter) -> ItemList:
    """Return the items of a category that pass the filter.

    Raises:
        CategoryNotFoundError: no item is in it.
    """
    items = catalog.list_category(category, wanted)
    return ItemList(items, len(items))


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


def get_item_schema(files: OwnItemFiles) -> bytes:
    """Return the JSON Schema of an item file."""
    return files.read_schema()
