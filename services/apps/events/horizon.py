"""The id up to which every event of all apps has been committed.

Ids are given before the commit, so a lower id may become visible after a higher one: a reader that went on from the
higher one would miss it. A missing id is therefore waited for until no transaction is left that could bring it; what
is missing then belongs to a transaction that was rolled back, or to an app that was removed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_POLL_S = 0.05  # between two looks at the transactions under way: they commit within milliseconds
_BEGIN_POLLS = 40  # a client that begins to follow waits for 2 s at most
_LONGEST_S = 30.0  # a transaction of another program may last for hours, and brings no events


class EventIds(Protocol):
    """Queries of the horizon."""

    async def list_event_ids(self, *, after: int, limit: int) -> list[int]:
        """List ids of events after one, in order."""

    async def find_newest_event_id(self) -> int:
        """Return the id of the newest event of all, 0 when there is none."""

    async def read_transactions(self) -> tuple[int, int]:
        """Return the numbers of the oldest transaction under way and of the next one to begin; equal when there is none."""


@dataclass(frozen=True)
class _Gap:
    """A missing id: the one before it, the newest id at that time, the transaction after the last that could bring it."""

    before: int
    newest: int
    following: int
    since: float


class EventHorizon:
    """Finds the id up to which every event has been committed.

    Args:
        ids: queries of ids and transactions.
        page: number of events of one step.
    """

    def __init__(self, ids: EventIds, *, page: int) -> None:
        self._ids, self._page = ids, page
        self._settled = 0
        self._gap: _Gap | None = None

    async def begin(self) -> int:
        """Return the id of the newest event, once no event before it is missing."""
        newest = await self._ids.find_newest_event_id()
        _, following = await self._ids.read_transactions()
        for _ in range(_BEGIN_POLLS):
            if (await self._ids.read_transactions())[0] >= following:
                break
            await asyncio.sleep(_POLL_S)
        self._settled, self._gap = newest, None
        return newest

    async def find_end(self, after: int) -> tuple[int, bool]:
        """Return the id up to which events after one can be read, and whether more is to be expected at once."""
        ids = await self._ids.list_event_ids(after=after, limit=self._page)
        end = find_settled(ids, after=after, settled=self._settled)
        if not ids or end == ids[-1]:
            return end, len(ids) == self._page
        oldest, following = await self._ids.read_transactions()
        if self._gap is None or self._gap.before != end:
            self._gap = _Gap(end, ids[-1], following, time.monotonic())
        if oldest < self._gap.following and time.monotonic() - self._gap.since < _LONGEST_S:
            await asyncio.sleep(_POLL_S)
            return end, True
        self._settled = max(self._settled, self._gap.newest)
        return end, True


def find_settled(ids: Sequence[int], *, after: int, settled: int) -> int:
    """Return the last of some ids before which none is missing, except up to `settled`; `after` if there is none."""
    last = after
    for number in ids:
        if number != last + 1 and number > settled:
            break
        last = number
    return last
