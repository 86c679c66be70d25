"""GetItemIcon: the icon of an item, from our own folder or as it was collected from its source."""

from __future__ import annotations

from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.errors import IconNotFoundError
from services.catalog.domain.interfaces import OwnItemFiles, PictureStore, PublishedCatalog
from services.catalog.domain.pictures import Picture


async def get_item_icon(
    catalog: PublishedCatalog, files: OwnItemFiles, *, item_id: str, pictures: PictureStore
) -> Picture:
    """Return the icon of an item.

    Raises:
        ItemNotFoundError: nothing of that id is published.
        IconNotFoundError: it has none, or none that could be fetched yet.
    """
    item = (await catalog.find_index(item_id)).get_item(item_id)
    if item.source == OWN_SOURCE:
        icon = files.find_icon(item.icon)
    else:
        icon = await pictures.find_picture(item.source, item.icon)
    if icon is None:
        raise IconNotFoundError(f"{item.id} has no icon, or it could not be fetched yet")
    return icon
