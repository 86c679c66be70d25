"""One published state of the whole catalog, ready to be read: built whole, then swapped in."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import CategoryNotFoundError, ItemNotFoundError
from services.catalog.domain.search import SearchIndex

DEFAULT_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items are wanted; an empty field wants all. `memory` is what there is, in MB."""

    architecture: str = ""
    memory: int = 0
    runtime: str = ""
    source: str = ""

    def accepts(self, item: Item) -> bool:
        """Say whether an item fits."""
        return (
            (not self.architecture or self.architecture in item.architectures)
            and (not self.memory or item.resources.memory.minimum <= self.memory)
            and (not self.runtime or self.runtime in item.runtimes)
            and (not self.source or self.source == item.source)
        )


_EVERYTHING = ItemFilter()


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A part of a list. Without a number and size it is the whole."""

    number: int | None = None
    size: int | None = None

    def cut(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items that are on the page."""
        if self.is_whole:
            return items
        number, size = self.resolve()
        return items[(number - 1) * size : number * size]

    @property
    def is_whole(self) -> bool:
        """Whether all of the list is asked for."""
        return self.number is None and self.size is None

    def resolve(self) -> tuple[int, int]:
        """Return number and size, what was not given by default."""
        return self.number or 1, self.size or DEFAULT_PER_PAGE


class CatalogIndex:
    """All published items by name, with their categories and the search over them."""

    def __init__(self, items: Iterable[Item], updated_at: datetime | None = None) -> None:
        self.items = tuple(sorted(items, key=lambda item: (item.name.casefold(), item.id)))
        self.updated_at = updated_at
        self._by_id = {item.id: item for item in self.items}
        self._search = SearchIndex(self.items)
        self.categories = Counter(item.category for item in self.items)
        self.sources = Counter(item.source for item in self.items)
        self.etag = _name_state(self.items)

    def get_item(self, item_id: str) -> Item:
        """Return an item.

        Raises:
            ItemNotFoundError: nothing of that id is published.
        """
        item = self.find_item(item_id)
        if item is None:
            raise ItemNotFoundError(f"the catalog has no app {item_id[:100]!r}")
        return item

    def find_item(self, item_id: str) -> Item | None:
        """Return an item, or None."""
        return self._by_id.get(item_id)

    def list_items(self, wanted: ItemFilter) -> list[Item]:
        """Return the items that fit, by name."""
        if wanted == _EVERYTHING:
            return list(self.items)
        return [item for item in self.items if wanted.accepts(item)]

    def list_category(self, category: str, wanted: ItemFilter) -> list[Item]:
        """Return the items of a category, whatever the case of its name.

        Raises:
            CategoryNotFoundError: no item is in it.
        """
        name = category.casefold().strip()
        found = [item for item in self.items if item.category.casefold() == name]
        if not found:
            raise CategoryNotFoundError(f"the catalog has no category {category[:100]!r}")
        return [item for item in found if wanted.accepts(item)]

    def search_items(self, query: str, wanted: ItemFilter) -> list[Item]:
        """Return the items that match, best first."""
        return [item for item in self._search.search_items(query) if wanted.accepts(item)]


def _name_state(items: Iterable[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.id}@{item.revision}\n".encode())
    return digest.hexdigest()[:20]
