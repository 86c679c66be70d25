"""Reads the catalog's folders from disk; the only module of the service that does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from services.catalog.config import DATA
from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.interfaces import PictureStore
from services.catalog.domain.item_files.document import MAX_BYTES
from services.catalog.domain.pictures import Picture

_SCHEMA = DATA.parent / "schema.json"
MAX_FILES = 5000
_MAX_ICON_BYTES = 256 * 1024


def read_item_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of every item file, by name; never more of one than the parser may see."""
    for path in sorted(folder.glob("*.y*ml"))[:MAX_FILES]:
        try:
            with path.open("rb") as file:
                yield path.name, file.read(MAX_BYTES + 1)
        except OSError:
            yield path.name, b""


def find_icon(icon: str, folder: Path = DATA) -> bytes | None:
    """Return the content of an icon file that belongs to a folder, or None."""
    path = (folder / icon).resolve()
    if not path.is_relative_to(folder.resolve() / "icons") or not path.is_file():
        return None
    return path.read_bytes() if path.stat().st_size <= _MAX_ICON_BYTES else None


class OwnPictures:
    """The icons of our own items, from their folder; the pictures of all others from a store."""

    def __init__(self, folder: Path, others: PictureStore) -> None:
        self._folder = folder
        self._others = others

    async def find_picture(self, source: str, location: str) -> Picture | None:
        """Return a picture, or None."""
        if source != OWN_SOURCE:
            return await self._others.find_picture(source, location)
        content = find_icon(location, self._folder)
        return Picture("image/svg+xml", content) if content is not None else None


@cache
def read_schema() -> bytes:
    """Return the JSON Schema of an item's file."""
    return _SCHEMA.read_bytes()


def name_content(content: bytes) -> str:
    """Return the name of a content: equal content, equal name."""
    return hashlib.sha256(content).hexdigest()[:20]
