"""The item files of this installation and their icons, read from their folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from services.catalog.domain.item_files.document import MAX_BYTES
from services.catalog.domain.pictures import Picture

_SCHEMA = Path(__file__).resolve().parents[1] / "schema.json"  # served as it is
MAX_FILES = 5000  # thirty times what there is; a wrong CATALOG_DATA such as / must not be read whole
_MAX_ICON_BYTES = 256 * 1024  # bytes; the largest of ours has 11 KB


class OwnFiles:
    """Implements `OwnItemFiles` by a folder of item files with a folder `icons` in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_item_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield (name, content) of every item file, by name; never more of one than the parser may see."""
        for path in sorted(self._folder.glob("*.y*ml"))[:MAX_FILES]:
            try:
                with path.open("rb") as file:
                    yield path.name, file.read(MAX_BYTES + 1)
            except OSError:
                yield path.name, b""

    def find_icon(self, location: str) -> Picture | None:
        """Return an icon of the folder, or None."""
        path = (self._folder / location).resolve()
        return Picture("image/svg+xml", path.read_bytes()) if self._is_icon(path) else None

    def has_icon(self, location: str) -> bool:
        """Whether `find_icon` finds one."""
        return self._is_icon((self._folder / location).resolve())

    def _is_icon(self, path: Path) -> bool:
        is_inside = path.is_relative_to(self._folder.resolve() / "icons") and path.is_file()
        return is_inside and path.stat().st_size <= _MAX_ICON_BYTES

    def read_schema(self) -> bytes:
        """Return the JSON Schema of an item file."""
        return _read_schema()


@cache
def _read_schema() -> bytes:
    return _SCHEMA.read_bytes()
