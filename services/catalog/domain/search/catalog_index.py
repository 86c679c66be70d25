"""Index of one published state of the whole catalog: built as a whole, then never changed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import CategoryNotFoundError, ItemNotFoundError
from services.catalog.domain.search.app_groups import Group, group_items
from services.catalog.domain.search.search_index import SearchIndex
from services.common.core.errors import refuse_after

DEFAULT_PER_PAGE = 20  # items, where only the number of a page is given; the same in all services


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Filter of a list; an empty field accepts all. `memory` is the available memory in MB."""

    architecture: str = ""
    memory: int = 0
    runtime: str = ""
    source: str = ""

    def accepts(self, item: Item) -> bool:
        """Return whether an item fits."""
        return (
            # An item that names no architectures is not known to lack one: it stays in the list.
            (not self.architecture or not item.architectures or self.architecture in item.architectures)
            and (not self.memory or item.resources.memory.minimum <= self.memory)
            and (not self.runtime or self.runtime in item.runtimes)
            and (not self.source or self.source == item.source)
        )


_EVERYTHING = ItemFilter()


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A part of a list: by number, or behind the item of an id. Without a number, size and item it is the whole."""

    number: int | None = None
    size: int | None = None
    after: str = ""

    def cut(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items that are on the page."""
        if self.is_whole:
            return items
        number, size = self.resolve()
        return items[(number - 1) * size : number * size]

    @property
    def is_whole(self) -> bool:
        """Whether the whole list is requested."""
        return self.number is None and self.size is None and not self.after

    def resolve(self) -> tuple[int, int]:
        """Return number and size, what was not given by default."""
        return self.number or 1, self.size or DEFAULT_PER_PAGE


class CatalogIndex:
    """All published items; lists and searches show one entry per app, whatever the number of its sources.

    Attributes:
        items: every item of every source.
        entries: the preferred item of each app, by name.
    """

    def __init__(self, items: Iterable[Item], updated_at: datetime | None = None) -> None:
        self._groups = group_items(items)
        self.items = tuple(item for group in self._groups for item in group)
        self.entries = tuple(group[0] for group in self._groups)
        self.updated_at = updated_at
        self._by_id = {item.id: item for item in self.items}
        self._search = SearchIndex(self._groups)
        self.categories = Counter(item.category for item in self.entries)
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

    def list_items(self, wanted: ItemFilter) -> Sequence[Item]:
        """Return the entries that fit, by name; of a single source, all of its items."""
        # The first page of every visitor: no search through all groups for it.
        if wanted == _EVERYTHING:
            return self.entries
        return [item for group in self._groups for item in _choose(group, wanted)]

    def select_behind(self, items: Sequence[Item], item_id: str) -> Sequence[Item]:
        """Return those of the items that come behind another one, which need not be among them.

        Raises:
            InvalidError: nothing of that id is published.
        """
        if item_id not in self._by_id:
            raise refuse_after(repr(item_id[:100]), kind="item")
        before = set(takewhile(item_id.__ne__, self._by_id))
        return [item for item in items if item.id not in before and item.id != item_id]

    def list_category(self, category: str, wanted: ItemFilter) -> list[Item]:
        """Return the entries of a category that fit, whatever the case of its name.

        Raises:
            CategoryNotFoundError: no item is in it.
        """
        name = category.casefold().strip()
        found = [group for group in self._groups if group[0].category.casefold() == name]
        if not found:
            raise CategoryNotFoundError(f"the catalog has no category {category[:100]!r}")
        return [item for group in found for item in _choose(group, wanted)]

    def search_items(self, query: str, wanted: ItemFilter) -> Sequence[Item]:
        """Return the entries that match, best first; all of them, by name, when the query is empty."""
        if not query.strip():
            return self.list_items(wanted)
        return [
            item for number in self._search.search(query) for item in _choose(self._groups[number], wanted)
        ]


def _choose(group: Group, wanted: ItemFilter) -> Iterator[Item]:
    """Yield the item that represents a group in a list, or all that fit when one source is requested."""
    fitting = (item for item in group if wanted.accepts(item))
    yield from fitting if wanted.source else islice(fitting, 1)


def _name_state(items: Iterable[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.id}@{item.state}\n".encode())
    return digest.hexdigest()[:20]
