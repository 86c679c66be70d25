"""Folders of a collection that has a folder per app."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_PICTURES = frozenset({".svg", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".ico"})
DEFINITIONS = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one app by their path in its folder."""

    path: str
    name: str
    files: Mapping[str, bytes]

    def find_first(self, *names: str) -> tuple[str, bytes] | None:
        """Return the first of the files that exists, with its full path."""
        for name in names:
            if name in self.files:
                return f"{self.path}/{name}" if self.path else name, self.files[name]
        return None

    def find_picture(self, location: str) -> str:
        """Return the location of a picture: a file of the folder that has its name or ends its address, else the address."""
        name = location.rpartition("/")[2] if location.startswith("https://") else location
        if name in self.files and PurePosixPath(name).suffix.lower() in _PICTURES:
            return f"files/{self.path}/{name}" if self.path else f"files/{name}"
        return location if location.startswith("https://") else ""


def list_folders(files: Mapping[str, bytes], *markers: str) -> Iterator[Folder]:
    """Yield every folder with one of the marker files, by path."""
    homes = sorted({str(PurePosixPath(path).parent) for path in files if PurePosixPath(path).name in markers})
    paths = sorted(files)
    for home in homes:
        prefix = "" if home == "." else f"{home}/"
        first, last = bisect_left(paths, prefix), bisect_left(paths, f"{prefix}\U0010ffff")
        inside = {path[len(prefix) :]: files[path] for path in paths[first:last]}
        yield Folder(prefix.rstrip("/"), PurePosixPath(home).name or "app", inside)
