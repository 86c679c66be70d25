"""The newest revisions and the icons of the catalog's items, in the memory of each replica, to be shown with apps."""

from __future__ import annotations

from collections.abc import Mapping

from services.apps.domain.entities import App
from services.clients.catalog.interface import Catalog
from services.clients.catalog.values import ItemRevision


class CatalogUpdates:
    """The newest revision of each catalog item, in memory.

    Attributes:
        generation: increases with every change.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._newest: Mapping[str, ItemRevision] = {}
        self.generation = 0

    def find_update(self, app: App) -> ItemRevision | None:
        """Return a newer revision of an app's item; None also while the catalog was never reached."""
        return self.find_newer(app.catalog_id, app.revision)

    def find_newer(self, catalog_id: str, revision: str) -> ItemRevision | None:
        """Return a newer revision of an item than one; None also while the catalog was never reached."""
        newest = self._newest.get(catalog_id)
        # Adopted apps have no revision, and there is no update for them.
        is_older = newest is not None and revision not in {"", newest.revision}
        return newest if is_older else None

    def find_icon(self, catalog_id: str) -> str:
        """Return the path of an item's icon, empty where there is none."""
        newest = self._newest.get(catalog_id)
        return newest.icon if newest is not None else ""

    async def refresh(self) -> None:
        """Read the newest revisions; the known ones stay when the catalog does not answer.

        Raises:
            UnavailableError: the catalog does not answer.
        """
        newest = await self._catalog.list_revisions()
        if newest != self._newest:
            self._newest = newest
            self.generation += 1
