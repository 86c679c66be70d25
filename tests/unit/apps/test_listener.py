"""The queue of one listener of a feed."""

from __future__ import annotations

import asyncio
import time

from services.apps.events.feed import Listener


async def test_an_event_that_comes_as_the_wait_times_out_is_found() -> None:
    listener, loop = Listener[str](), asyncio.get_running_loop()
    waiting = asyncio.create_task(listener.wait(0.01))
    await asyncio.sleep(0)
    loop.call_later(0.011, listener.put, "event")
    time.sleep(0.05)  # noqa: ASYNC251 - the loop is late, so that both are due in the same turn, the timeout first
    assert await waiting
    assert listener.take() == "event"


async def test_a_wait_without_an_event_ends() -> None:
    listener = Listener[str]()
    assert not await listener.wait(0.001)
    assert listener.take() is None
