"""In-memory copy of the published catalog, replaced as a whole when another state is published."""

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


class CatalogCache:
    """Index of the newest publication that this process knows; implements `PublishedCatalog`.

    Readers never wait for a refresh: they use the former index until the next one is complete.
    """

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._number = -1
        # Two refreshes beside each other would build the same index twice, and the older could replace the newer.
        self._lock = asyncio.Lock()
        self._prepare: list[Callable[[Sequence[Item]], None]] = []
        self.index = CatalogIndex([])

    def on_refresh(self, prepare: Callable[[Sequence[Item]], None]) -> None:
        """Register a function that gets the items of each new state, in a thread, before readers see them."""
        self._prepare.append(prepare)

    async def find_index(self, item_id: str) -> CatalogIndex:
        """See `PublishedCatalog.find_index`."""
        if self.index.find_item(item_id) is None:
            await self.refresh()
        return self.index

    async def refresh(self) -> bool:
        """Read the catalog again if another state was published; return whether it was.

        While the database does not answer, the former state stays.
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
