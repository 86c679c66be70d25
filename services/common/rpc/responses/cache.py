"""An LRU cache of rendered answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
MIB = 1024 * 1024  # bytes


class VersionedLruCache(Generic[K]):
    """LRU cache of rendered bytes; an entry is valid only for the version it was stored with.

    The version is read from the source for each request, so replicas answer alike and nothing has to be invalidated.

    Args:
        limit: bytes of the values together.
    """

    def __init__(self, limit: int = 4 * MIB) -> None:
        self._limit = limit
        self._size = 0
        self._entries: OrderedDict[K, tuple[object, bytes]] = OrderedDict()

    def find(self, key: K, version: object) -> bytes | None:
        """Return the value that was stored for this version, or None."""
        entry = self._entries.get(key)
        if entry is None or entry[0] != version:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def keep(self, key: K, version: object, value: bytes) -> bytes:
        """Store a value in place of the key's former one, evict the least recently used ones, and return it."""
        former = self._entries.pop(key, None)
        self._size += len(value) - (len(former[1]) if former else 0)
        self._entries[key] = (version, value)
        while self._size > self._limit:
            self._size -= len(self._entries.popitem(last=False)[1][1])
        return value
