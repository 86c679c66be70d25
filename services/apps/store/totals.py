"""Cached totals of filters whose count costs more than a page of their apps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.apps.domain.entities import AppFilter
from services.common.db.transactions import DatabaseUnavailableError

_LARGE = 1000  # apps: up to here counting takes less than a millisecond and is not cached
_LIFETIME_S = 2.0  # the contract allows a large total to be so old
_ENTRIES = 1000  # filters, 200 bytes each


@dataclass(slots=True)
class _Total:
    """Total with the time until which it may be shown, and from which it is refreshed."""

    count: int
    ends_at: float
    renew_at: float


class Totals:
    """Cache of large totals, for 2 seconds each; totals in use are refreshed in the background after half of that.

    Args:
        count: counts, on a connection that no request waits for.
    """

    def __init__(
        self, count: Callable[[AppFilter], Awaitable[int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._clock = clock
        self._known: dict[AppFilter, _Total] = {}
        self._counting: set[asyncio.Task[None]] = set()

    def find(self, wanted: AppFilter) -> int | None:
        """Return the total; None: the caller has to count it."""
        known, current = self._known.get(wanted), self._clock()
        if known is None or current >= known.ends_at:
            return None
        # Single flight: one task counts, and meanwhile all requests get the known total.
        if current >= known.renew_at:
            known.renew_at = known.ends_at
            task = asyncio.create_task(self._renew(wanted))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)
        return known.count

    def keep(self, wanted: AppFilter, total: int) -> None:
        """Store a total that takes long to count."""
        if total <= _LARGE:
            return
        # Cheaper than evicting in order; the totals are counted again by the next requests.
        if len(self._known) >= _ENTRIES:
            self._known.clear()
        current = self._clock()
        self._known[wanted] = _Total(total, current + _LIFETIME_S, current + _LIFETIME_S / 2)

    async def _renew(self, wanted: AppFilter) -> None:
        with contextlib.suppress(DatabaseUnavailableError):  # then the next request counts
            self.keep(wanted, await self._count(wanted))
