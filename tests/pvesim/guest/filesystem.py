"""An in-memory file system: plain data, cheap to copy, stored as its difference from a base."""

import base64
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_LINKS = 16
Generated = Callable[[int], bytes]


class FsError(Exception):
    """A file operation that the kernel would refuse; its text is strerror's."""


NOT_FOUND = "No such file or directory"
IS_DIR = "Is a directory"
NOT_DIR = "Not a directory"
EXISTS = "File exists"
NOT_EMPTY = "Directory not empty"
DENIED = "Permission denied"
NO_SPACE = "No space left on device"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file ("f"), directory ("d") or symbolic link ("l", its target in `data`)."""

    kind: str
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 1_760_000_000


DIRECTORY = Entry("d", mode=0o755)


class FileSystem:
    """Paths and what they hold. All paths are absolute.

    `generated` maps paths to functions that make their content when read (as /proc does);
    they get the number of bytes wanted (-1: all there is).
    """

    def __init__(
        self, base: Mapping[str, Entry], *, generated: Mapping[str, Generated] | None = None
    ) -> None:
        self.base = base
        self.generated: Mapping[str, Generated] = generated or {}
        self.entries: dict[str, Entry] = dict(base)
        self.entries.setdefault("/", DIRECTORY)
        self.capacity: int | None = None
        self.now: Callable[[], float] | None = None

    def locate(self, path: str, *, follow: bool = True) -> str:
        """The path with its links resolved; the last part too unless `follow` is False."""
        return self._resolve(posixpath.normpath(path).replace("//", "/"), follow=follow, depth=0)

    def _resolve(self, path: str, *, follow: bool, depth: int) -> str:
        if depth > MAX_LINKS:
            raise FsError("Too many levels of symbolic links")
        done = ""
        parts = [part for part in path.split("/") if part]
        for index, part in enumerate(parts):
            done = f"{done}/{part}"
            entry = self.entries.get(done)
            if entry and entry.kind == "l" and (follow or index < len(parts) - 1):
                target = posixpath.join(posixpath.dirname(done), entry.data.decode())
                rest = "/".join(parts[index + 1 :])
                joined = posixpath.normpath(posixpath.join(target, rest) if rest else target)
                return self._resolve(joined, follow=follow, depth=depth + 1)
        return done or "/"

    def find(self, path: str, *, follow: bool = True) -> Entry | None:
        """What is at the path, or None."""
        try:
            place = self.locate(path, follow=follow)
        except FsError:
            return None
        if place in self.generated:
            return Entry("f", mode=0o444)
        return self.entries.get(place)

    def get(self, path: str, *, follow: bool = True) -> Entry:
        """What is at the path.

        Raises:
            FsError: nothing is.
        """
        entry = self.find(path, follow=follow)
        if entry is None:
            raise FsError(NOT_FOUND)
        return entry

    def exists(self, path: str) -> bool:
        return self.find(path) is not None

    def is_dir(self, path: str) -> bool:
        entry = self.find(path)
        return entry is not None and entry.kind == "d"

    def is_file(self, path: str) -> bool:
        entry = self.find(path)
        return entry is not None and entry.kind == "f"

    def read(self, path: str, size: int = -1) -> bytes:
        """A file's content.

        Raises:
            FsError: there is no such file, or it is a directory.
        """
        place = self.locate(path)
        if place in self.generated:
            return self.generated[place](size)
        entry = self.get(place)
        if entry.kind == "d":
            raise FsError(IS_DIR)
        return entry.data if size < 0 else entry.data[:size]

    def write(self, path: str, data: bytes, *, mode: int | None = None, append: bool = False) -> None:
        """Create or change a file; its directory has to be there.

        Raises:
            FsError: the directory is missing, the path is a directory, or the disk is full.
        """
        place = self.locate(path)
        if place in self.generated:
            if place.startswith("/dev/"):
                return
            raise FsError(DENIED)
        self._check_parent(place)
        old = self.entries.get(place)
        if old and old.kind == "d":
            raise FsError(IS_DIR)
        whole = old.data + data if append and old else data
        self._check_space(len(whole) - (len(old.data) if old else 0))
        entry = old or Entry("f", mode=0o644)
        entry = replace(entry, data=whole, mode=entry.mode if mode is None else mode)
        self.entries[place] = replace(entry, mtime=int(self.now())) if self.now else entry

    def _check_parent(self, place: str) -> None:
        parent = self.entries.get(posixpath.dirname(place))
        if parent is None:
            raise FsError(NOT_FOUND)
        if parent.kind != "d":
            raise FsError(NOT_DIR)

    def _check_space(self, more: int) -> None:
        if self.capacity is not None and more > 0 and self.used() + more > self.capacity:
            raise FsError(NO_SPACE)

    def used(self) -> int:
        """Bytes in all files."""
        return sum(len(entry.data) for entry in self.entries.values())

    def make_dir(self, path: str, *, parents: bool = False, mode: int = 0o755) -> None:
        """Create a directory.

        Raises:
            FsError: it exists (unless `parents`), or its parent is missing.
        """
        place = self.locate(path)
        old = self.entries.get(place)
        if old:
            if parents and old.kind == "d":
                return
            raise FsError(EXISTS)
        parent = posixpath.dirname(place)
        if parents and parent not in self.entries:
            self.make_dir(parent, parents=True)
        self._check_parent(place)
        self.entries[place] = Entry("d", mode=mode)

    def link(self, target: str, path: str) -> None:
        """Create a symbolic link at `path`."""
        place = self.locate(path, follow=False)
        self._check_parent(place)
        if place in self.entries:
            raise FsError(EXISTS)
        self.entries[place] = Entry("l", data=target.encode(), mode=0o777)

    def change(
        self, path: str, *, mode: int | None = None, uid: int | None = None, gid: int | None = None
    ) -> None:
        """Set mode or owner, leaving what is None."""
        place, entry = self.locate(path), self.get(path)
        self.entries[place] = replace(
            entry,
            mode=entry.mode if mode is None else mode,
            uid=entry.uid if uid is None else uid,
            gid=entry.gid if gid is None else gid,
        )

    def list_dir(self, path: str) -> list[str]:
        """Names in a directory, sorted.

        Raises:
            FsError: no such directory.
        """
        place = self.locate(path)
        if self.get(place).kind != "d":
            raise FsError(NOT_DIR)
        prefix = place.rstrip("/") + "/"
        known = (*self.entries, *self.generated)
        return sorted(
            {rest for p in known if p.startswith(prefix) and (rest := p[len(prefix) :]) and "/" not in rest}
        )

    def walk(self, path: str) -> Iterator[tuple[str, Entry]]:
        """The entry at the path and everything below it, in order."""
        place = self.locate(path)
        prefix = place.rstrip("/") + "/"
        for name in sorted(self.entries):
            if name == place or name.startswith(prefix):
                yield name, self.entries[name]

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Delete a file, link or directory.

        Raises:
            FsError: nothing there, or a directory that is not empty without `recursive`.
        """
        place = self.locate(path, follow=False)
        entry = self.get(place, follow=False)
        below = [p for p, _ in self.walk(place) if p != place] if entry.kind == "d" else []
        if below and not recursive:
            raise FsError(NOT_EMPTY)
        for name in (*below, place):
            if name != "/":
                del self.entries[name]

    def move(self, source: str, target: str) -> None:
        """Rename a file or directory; a file at the target is replaced."""
        start, end = self.locate(source, follow=False), self.locate(target, follow=False)
        self.get(start, follow=False)
        self._check_parent(end)
        if start == end:
            return
        self._clear_target(end)
        for name, entry in list(
            self.walk(start) if self.entries[start].kind == "d" else [(start, self.entries[start])]
        ):
            self.entries[end + name[len(start) :]] = entry
            del self.entries[name]

    def _clear_target(self, place: str) -> None:
        if place in self.entries:
            self.remove(place)

    def take(self, path: str) -> dict[str, Entry]:
        """Remove what is at and below a path, and return it by path: a volume that leaves."""
        place = self.locate(path)
        taken = {name: one for name, one in self.entries.items() if f"{name}/".startswith(f"{place}/")}
        for name in taken:
            del self.entries[name]
        return taken

    def put(self, entries: Mapping[str, Entry]) -> None:
        """Take in what `take` of another one gave: a volume that comes."""
        for name in sorted(entries):
            self.make_dir(posixpath.dirname(name), parents=True)
            self.entries[name] = entries[name]

    def copy(self) -> "FileSystem":
        """An independent copy (contents are shared, being immutable)."""
        twin = FileSystem(self.base, generated=self.generated)
        twin.entries, twin.capacity, twin.now = dict(self.entries), self.capacity, self.now
        return twin

    def to_dict(self) -> dict[str, Any]:
        """What differs from the base, as JSON values."""
        changed = {p: _render(e) for p, e in self.entries.items() if self.base.get(p) is not e and p != "/"}
        return {"changed": changed, "removed": sorted(set(self.base) - set(self.entries))}

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over a difference made by `to_dict`."""
        for path in data["removed"]:
            self.entries.pop(path, None)
        for path, fields in data["changed"].items():
            self.entries[path] = _parse(fields)


def _render(entry: Entry) -> list[Any]:
    try:
        text: Any = entry.data.decode()
    except UnicodeDecodeError:
        text = {"base64": base64.b64encode(entry.data).decode()}
    return [entry.kind, text, entry.mode, entry.uid, entry.gid, entry.mtime]


def _parse(fields: list[Any]) -> Entry:
    kind, text, mode, uid, gid, mtime = fields
    data = text.encode() if isinstance(text, str) else base64.b64decode(text["base64"])
    return Entry(kind, data=data, mode=mode, uid=uid, gid=gid, mtime=mtime)
