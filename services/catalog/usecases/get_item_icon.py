"""GetItemIcon: the icon of an item, from this repository or as it was collected from its source."""

from __future__ import annotations

from typing import Protocol

from services.catalog.domain.errors import IconNotFoundError
from services.catalog.domain.pictures import Picture
from services.catalog.domain.search.catalog_index import CatalogIndex


class Pictures(Protocol):
    """Pictures by source and location."""

    async def find_picture(self, source: str, location: str) -> Picture | None:
        """Return a picture, or None."""


async def get_item_icon(catalog: CatalogIndex, pictures: Pictures, item_id: str) -> Picture:
    """Return the icon of an item.

    Raises:
        ItemNotFoundError: nothing of that id is published.
        IconNotFoundError: it has none, or none that could be fetched yet.
    """
    item = catalog.get_item(item_id)
    found = await pictures.find_picture(item.source, item.icon)
    if found is None:
        raise IconNotFoundError(f"{item.id} has no icon, or it could not be fetched yet")
    return found
