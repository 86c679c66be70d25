"""What a consumer does when something goes wrong that nobody thought of."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from services.common.messaging import consumer
from services.common.messaging.bus import Bus


class OddBus(Bus):
    """Its client breaks once, in a way of its own."""

    def __init__(self) -> None:
        super().__init__("nats://127.0.0.1:1", name="test")
        self._ready.set()
        self.asked = 0
        self.again = asyncio.Event()

    def jetstream(self) -> JetStreamContext:
        """Break in another way than NATS does, the first time."""
        self.asked += 1
        if self.asked > 1:
            self.again.set()
        raise AttributeError("'NoneType' object has no attribute 'drain'")


async def test_a_consumer_goes_on_whatever_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "_CONSUME_AGAIN_S", 0.01)
    bus = OddBus()

    async def handle(_: Msg) -> None:
        pass

    bus.consume("JOBS", "jobs.x", durable="x", handler=handle)
    try:
        await asyncio.wait_for(bus.again.wait(), 60)
    finally:
        await bus.close()
