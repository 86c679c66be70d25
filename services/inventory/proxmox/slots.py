"""Slots that commands use one at a time: a channel of a connection, a console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.inventory.domain.errors import ExecHungError


@asynccontextmanager
async def acquire_slot(
    slot: asyncio.Lock | asyncio.Semaphore, what: str, *, timeout_s: float
) -> AsyncIterator[None]:
    """Occupy a slot for as long as the context lasts.

    Raises:
        ExecHungError: it did not become free within `timeout_s`.
    """
    try:
        # Only the wait has the timeout; the work inside has limits of its own.
        async with asyncio.timeout(timeout_s):
            await slot.acquire()
    except TimeoutError:
        raise ExecHungError(f"{what} was used by other commands for {timeout_s:.0f} s") from None
    try:
        yield
    finally:
        slot.release()
