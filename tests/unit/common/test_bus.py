"""What the connection to NATS does when something goes wrong that nobody thought of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.msg import Msg

from services.common.messaging import bus as messaging
from services.common.messaging.bus import Bus


class OddBus(Bus):
    """Its client breaks once, in a way of its own."""

    def __init__(self) -> None:
        super().__init__("nats://127.0.0.1:1", name="test")
        self._ready.set()
        self.asked = 0
        self.again = asyncio.Event()

    async def _fetch(self, stream: str, subject: str, *, durable: str) -> AsyncIterator[Msg]:
        self.asked += 1
        if self.asked == 1:
            raise AttributeError("'NoneType' object has no attribute 'drain'")
        self.again.set()
        await asyncio.Event().wait()
        yield Msg(None)  # type: ignore[arg-type]  # never reached; it makes this a generator


async def test_a_consumer_goes_on_whatever_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messaging, "_CONSUME_AGAIN_S", 0.01)
    bus = OddBus()

    async def handle(_: Msg) -> None:
        pass

    bus.consume("JOBS", "jobs.x", durable="x", handler=handle)
    try:
        await asyncio.wait_for(bus.again.wait(), 5)
    finally:
        await bus.close()
