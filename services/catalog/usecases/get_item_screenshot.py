"""GetItemScreenshot: a screenshot of an item as it was collected from its source."""

from __future__ import annotations

from services.catalog.domain.errors import IconNotFoundError
from services.catalog.domain.interfaces import PictureStore, PublishedCatalog
from services.catalog.domain.pictures import Picture, list_screenshots


async def get_item_screenshot(
    catalog: PublishedCatalog, pictures: PictureStore, *, item_id: str, number: int
) -> Picture:
    """Return a screenshot by its number, from 1.

    Raises:
        ItemNotFoundError: nothing of that id is published.
        IconNotFoundError: it has fewer, or this one could not be fetched yet.
    """
    item = (await catalog.find_index(item_id)).get_item(item_id)
    locations = list_screenshots(item)
    location = locations[number - 1] if 1 <= number <= len(locations) else ""
    found = await pictures.find_picture(item.source, location) if location else None
    if found is None:
        raise IconNotFoundError(
            f"{item.id} has {len(locations)} screenshots; number {number} is none of them or could not be fetched yet"
        )
    return found
