"""Revocations reach NATS, whatever happens to the connection meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nats.js.kv import KeyValue

from services.auth.jobs.revocation_publisher import RevocationPublisher
from services.auth.store.revocations import SqlRevocationStore, StoredRevocation
from services.clients.auth.verification import _follow_bucket
from services.common.identity.tokens import Revocations
from services.common.messaging.bus import Bus

ONE = StoredRevocation("user.7", 1.0, 1)


class Store(SqlRevocationStore):
    """One revocation, published long ago."""

    def __init__(self, on_published: Callable[[], Awaitable[None]]) -> None:
        self.on_published = on_published

    async def list_current(self) -> list[StoredRevocation]:
        return [ONE]

    async def list_unpublished(self, _: int) -> list[StoredRevocation]:
        return []

    async def mark_published(self, _: object) -> None:
        await self.on_published()


class Bucket(KeyValue):
    """A bucket of NATS that records the keys put into it."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def put(self, key: str, *_: object, **__: object) -> int:
        self.stored.append(key)
        return 1


class Connection(Bus):
    """A connection that is there; the servers behind it may change."""

    def __init__(self) -> None:
        super().__init__("nats://127.0.0.1:1", name="test")
        self.bucket = Bucket()

    @property
    def is_connected(self) -> bool:
        return True

    async def hint(self, *_: object) -> None:
        pass

    async def key_value(self, _: str) -> KeyValue:
        return self.bucket

    async def reconnect(self) -> None:
        """Another server answers, which knows nothing."""
        self.bucket = Bucket()
        for callback in self._on_reconnect:
            await callback()


async def test_a_connection_that_is_made_while_revocations_are_said_hears_all_of_them_again() -> None:
    bus = Connection()
    first = bus.bucket

    async def reconnect_once() -> None:
        if bus.bucket is first:
            await bus.reconnect()

    publisher = RevocationPublisher(Store(reconnect_once), bus=bus, revocations=Revocations())
    await publisher._publish_again()
    running = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(60):
            while bus.bucket is first or not bus.bucket.stored:  # noqa: ASYNC110 - the publisher decides when
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert bus.bucket.stored == ["user.7"]


class EndedWatcher:
    """A watcher that yields everything there is and ends, as when its server is gone."""

    def __aiter__(self) -> EndedWatcher:
        self.left = [None]
        return self

    async def __anext__(self) -> None:
        if not self.left:
            raise StopAsyncIteration
        self.left.pop()

    async def stop(self) -> None:
        pass


class EndedBucket(KeyValue):
    def __init__(self) -> None:
        pass

    async def watchall(self, **_: object) -> KeyValue.KeyWatcher:
        return EndedWatcher()  # type: ignore[return-value]


async def test_who_no_longer_follows_revocations_does_not_say_that_all_are_known() -> None:
    revocations = Revocations(lambda: True)
    await _follow_bucket(EndedBucket(), revocations, stored=set())
    assert not revocations.is_current
