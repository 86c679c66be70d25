"""The catalog as this replica has it in memory, swapped whole when another state is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from services.catalog.domain.entities import Item
from services.catalog.domain.interfaces import CatalogStore
from services.catalog.domain.publication import load_catalog
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger

log = get_logger()


class CatalogHolder:
    """Holds the newest index; readers never wait for a refresh."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._number = -1
        self._lock = asyncio.Lock()
        self._prepare: list[Callable[[Sequence[Item]], None]] = []
        self.index = CatalogIndex([])

    def on_refresh(self, prepare: Callable[[Sequence[Item]], None]) -> None:
        """Have `prepare` called with the items of each new state, in a thread, before it is seen."""
        self._prepare.append(prepare)

    async def find_index(self, item_id: str) -> CatalogIndex:
        """Return the index in which to look for an item.

        An item that this replica does not know may have been published a moment ago, through another one.
        """
        if self.index.find_item(item_id) is None:
            await self.refresh()
        return self.index

    async def refresh(self) -> bool:
        """Read the catalog again if another state was published; say whether it was.

        A database that does not answer leaves the catalog as it is.
        """
        async with self._lock:
            try:
                newest = await self._store.get_newest_publication()
                number = newest.number if newest else 0
                if number == self._number:
                    return False
                index = await load_catalog(self._store)
            except UnavailableError as error:
                log.warning("catalog_not_refreshed", error=error.message)
                return False
            for prepare in self._prepare:
                await asyncio.to_thread(prepare, index.items)
            self.index, self._number = index, number
            log.info("catalog_refreshed", items=len(self.index.items), publication=number)
            return True
