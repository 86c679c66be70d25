"""What was rendered, by key and version, within a limit of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
MIB = 1024 * 1024


class VersionedLruCache(Generic[K]):
    """Bytes by key, each for one version; what was used longest ago goes first.

    A version is whatever says that nothing has changed, as the source said it for this very request: so replicas
    answer alike, and nothing has to be told when something changes.

    Args:
        limit: bytes, of the values alone.
    """

    def __init__(self, limit: int = 4 * MIB) -> None:
        self._limit = limit
        self._held = 0
        self._entries: OrderedDict[K, tuple[object, bytes]] = OrderedDict()

    def find(self, key: K, version: object) -> bytes | None:
        """What is kept for this version."""
        entry = self._entries.get(key)
        if entry is None or entry[0] != version:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def keep(self, key: K, version: object, value: bytes) -> bytes:
        """Keep a value in the place of the key's former one, and return it."""
        former = self._entries.pop(key, None)
        self._held += len(value) - (len(former[1]) if former else 0)
        self._entries[key] = (version, value)
        while self._held > self._limit:
            self._held -= len(self._entries.popitem(last=False)[1][1])
        return value
