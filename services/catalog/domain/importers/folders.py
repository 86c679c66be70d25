"""Finds the apps of a collection that keeps each in a folder of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

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


def list_folders(files: Mapping[str, bytes], *markers: str) -> Iterator[Folder]:
    """Yield every folder that holds one of the marker files, by path."""
    homes = sorted({str(PurePosixPath(path).parent) for path in files if PurePosixPath(path).name in markers})
    paths = sorted(files)
    for home in homes:
        prefix = "" if home == "." else f"{home}/"
        first, last = bisect_left(paths, prefix), bisect_left(paths, f"{prefix}\U0010ffff")
        inside = {path[len(prefix) :]: files[path] for path in paths[first:last]}
        yield Folder(prefix.rstrip("/"), PurePosixPath(home).name or "app", inside)
