"""Waiting for a place: a channel of a connection, a console that another command uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.inventory.domain.errors import ExecHungError


@asynccontextmanager
async def hold(
    place: asyncio.Lock | asyncio.Semaphore, what: str, *, timeout_s: float
) -> AsyncIterator[None]:
    """Hold a place for as long as the context lasts.

    Raises:
        ExecHungError: others did not leave it within `timeout_s`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await place.acquire()
    except TimeoutError:
        raise ExecHungError(f"{what} was used by other commands for {timeout_s:.0f} s") from None
    try:
        yield
    finally:
        place.release()
