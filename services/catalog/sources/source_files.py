"""Files of folders and archives, read into memory: archives are not unpacked to disk, links are not followed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from services.catalog.domain.errors import SourceFetchError
from services.catalog.sources.tar_reader import TarReader
from services.common.core.text import find_control

# Files that may be read whole; a collection's pictures and scripts are only recognised.
_DEFINITIONS = frozenset({".yml", ".yaml", ".json"})
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_HEAD = 8192  # bytes that tell a binary file by a zero byte; about as much as git reads for this
_ENTRIES = 4  # headers of an archive for each file that it may have: folders, long names, links


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """Limits of size and time for reading a source.

    Attributes:
        total_bytes: of all files in memory, and of a download; an archive may unpack to four times as much.
        file_bytes: of a definition.
        other_bytes: of any other file, and of a larger definition: enough to see that it is too long for an item.
        files: their number.
    """

    seconds: float = 300.0
    total_bytes: int = 256 * 1024 * 1024
    file_bytes: int = 8 * 1024 * 1024
    other_bytes: int = 520 * 1024
    files: int = 100_000

    def limit_size(self, name: str, size: int) -> int:
        """Return how many bytes are read of a file."""
        is_whole = PurePosixPath(name).suffix in _DEFINITIONS and size <= self.file_bytes
        return self.file_bytes if is_whole else self.other_bytes


def read_folder(folder: Path, limits: FetchLimits) -> Mapping[str, bytes]:
    """Return the files of a folder by path.

    Raises:
        SourceFetchError: it contains more than the limits allow.
    """
    return _collect(_walk_folder(folder, limits), limits)


def unpack_files(name: str, content: bytes, *, limits: FetchLimits) -> Mapping[str, bytes]:
    """Return the files of an archive by path, or the one file that it is.

    Raises:
        SourceFetchError: it contains more than the limits allow, or is an archive of another kind.
    """
    if content[:4] == _ZIP:
        raise SourceFetchError(f"{name} is a zip archive; only tar archives are read")
    if name.endswith(_TARS) or content[:2] == _GZIP:
        try:
            return _collect(_walk_tar(content, limits), limits)
        except SourceFetchError as error:
            raise SourceFetchError(f"{name} cannot be read: it {error}") from None
    return _collect([(name, content)], limits)


def _collect(files: Iterable[tuple[str, bytes]], limits: FetchLimits) -> Mapping[str, bytes]:
    """Collect the files that an importer may read; of binary files only the first bytes."""
    collected: dict[str, bytes] = {}
    total = 0
    for path, found in files:
        content = found[:_HEAD] if b"\0" in found[:_HEAD] else found
        total += len(content)
        if total > limits.total_bytes or len(collected) >= limits.files:
            raise SourceFetchError(f"contains more than {limits.files} files or {limits.total_bytes} bytes")
        collected[path] = content
    return collected


def _walk_folder(folder: Path, limits: FetchLimits) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder, without following links or looking into hidden folders."""
    for home, folders, names in os.walk(folder):
        # In place, so that os.walk does not enter the others.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(home) / name
            if path.is_symlink() or not path.is_file():  # pipes and devices would block or never end
                continue
            with path.open("rb") as file:
                content = file.read(limits.limit_size(name, path.stat().st_size))
            yield path.relative_to(folder).as_posix(), content


def _walk_tar(content: bytes, limits: FetchLimits) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files of an archive; nothing of it is ever written to disk."""
    reader = TarReader(content, total_bytes=4 * limits.total_bytes, members=_ENTRIES * limits.files)
    for member in reader.read_members(measure=limits.limit_size):
        path = PurePosixPath(member.path)
        if not path.is_absolute() and ".." not in path.parts and not find_control(member.path):
            yield str(path), member.content


def measure_folder(folder: Path) -> int:
    """Return the bytes in a folder; files that vanish meanwhile do not count."""
    total = 0
    for home, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(home) / name).lstat().st_size
            except OSError:
                continue
    return total
