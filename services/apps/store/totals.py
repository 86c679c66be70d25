"""How many apps a filter finds, where counting them costs more than showing a page of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.apps.domain.entities import AppFilter
from services.common.db.errors import DatabaseUnavailableError

_LARGE = 1000
_KEPT_S = 2.0
_KEPT = 1000


@dataclass(slots=True)
class _Total:
    """A total, until when it may be shown, and from when on it is counted anew."""

    count: int
    ends_at: float
    renew_at: float


class Totals:
    """Large totals, for 2 seconds each; while somebody asks they are counted anew before that, so that nobody waits.

    Args:
        count: counts, beside the queries that somebody waits for.
    """

    def __init__(
        self, count: Callable[[AppFilter], Awaitable[int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._clock = clock
        self._known: dict[AppFilter, _Total] = {}
        self._counting: set[asyncio.Task[None]] = set()

    def find(self, wanted: AppFilter) -> int | None:
        """The total; None to who shall count it."""
        known, current = self._known.get(wanted), self._clock()
        if known is None or current >= known.ends_at:
            return None
        if current >= known.renew_at:
            known.renew_at = known.ends_at
            task = asyncio.create_task(self._renew(wanted))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)
        return known.count

    def keep(self, wanted: AppFilter, total: int) -> None:
        """Keep a total that takes long to count."""
        if total <= _LARGE:
            return
        if len(self._known) >= _KEPT:
            self._known.clear()
        current = self._clock()
        self._known[wanted] = _Total(total, current + _KEPT_S, current + _KEPT_S / 2)

    async def _renew(self, wanted: AppFilter) -> None:
        with contextlib.suppress(DatabaseUnavailableError):  # then who asks next counts
            self.keep(wanted, await self._count(wanted))
