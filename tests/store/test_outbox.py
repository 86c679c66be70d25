"""The outbox on both databases: every message is published, whichever relays work on it and whatever they remember."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import Database
from services.common.messaging import outbox as outbox_module
from services.common.messaging.bus import Bus, Message
from services.common.messaging.outbox import Relay, add_messages, define_tables
from tests.databases import open_empty

METADATA = sa.MetaData()
OUTBOX, INBOX = define_tables(METADATA)


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    server = request.getfixturevalue("server") if request.param == "postgresql" else ""
    async with open_empty(tmp_path, METADATA, server=server) as database:
        yield database


class SlowBus:
    """NATS as a relay sees it; with a gate, it answers when the gate opens."""

    is_connected = True

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.sent: list[str] = []
        self.asked = asyncio.Event()
        self._gate = gate

    async def publish(self, message: Message) -> None:
        self.asked.set()
        if self._gate is not None:
            await self._gate.wait()
        self.sent.append(message.message_id)


def relay_on(db: Database, bus: SlowBus) -> Relay:
    return Relay(db, cast("Bus", bus), outbox=OUTBOX)


async def add(db: Database, *message_ids: str) -> None:
    messages = [Message("audit.v1.recorded", b"x", message_id) for message_id in message_ids]
    await db.write(lambda connection: add_messages(connection, OUTBOX, messages=messages))


async def list_waiting(db: Database) -> list[str]:
    query = sa.select(OUTBOX.c.message_id).order_by(OUTBOX.c.id)
    return list(await db.read(lambda connection: connection.execute(query).scalars().all()))


async def expire_lease(db: Database) -> None:
    lease = METADATA.tables["outbox_lease"]
    await db.write(
        lambda connection: connection.execute(lease.update().values(lease_until=now() - timedelta(seconds=1)))
    )


async def test_a_relay_that_lost_its_lease_deletes_only_what_it_published(db: Database) -> None:
    gate = asyncio.Event()
    slow, fast = SlowBus(gate), SlowBus()
    paused, other = relay_on(db, slow), relay_on(db, fast)
    await add(db, "entry-1")
    publishing = asyncio.create_task(paused.publish_batch())
    await slow.asked.wait()
    await expire_lease(db)
    assert await other.publish_batch() == 1
    await add(
        db, "entry-2", "entry-1"
    )  # the row that was deleted was the newest, and an id of a message comes again
    gate.set()
    await publishing
    assert await list_waiting(db) == ["entry-2", "entry-1"]
    await other.publish_batch()
    assert fast.sent == ["entry-1", "entry-2", "entry-1"]
    assert await list_waiting(db) == []


async def test_one_relay_at_a_time_publishes_and_the_other_follows(db: Database) -> None:
    gate = asyncio.Event()
    slow, fast = SlowBus(gate), SlowBus()
    owner, other = relay_on(db, slow), relay_on(db, fast)
    await add(db, "entry-1")
    publishing = asyncio.create_task(owner.publish_batch())
    await slow.asked.wait()
    await add(db, "entry-2")
    assert await other.publish_batch() == 0
    running = asyncio.create_task(other.run())
    other.wake()
    gate.set()
    assert await publishing == 1
    async with asyncio.timeout(60):
        while await list_waiting(db):  # noqa: ASYNC110 - the relay decides when
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (slow.sent, fast.sent) == (["entry-1"], ["entry-2"])


async def test_the_lease_of_a_relay_that_died_ends(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_LEASE_S", 0.2)
    slow, fast = SlowBus(asyncio.Event()), SlowBus()
    await add(db, "entry-1")
    dying = asyncio.create_task(relay_on(db, slow).publish_batch())
    await slow.asked.wait()
    running = asyncio.create_task(relay_on(db, fast).run())
    async with asyncio.timeout(60):
        while await list_waiting(db):  # noqa: ASYNC110 - the relay decides when
            await asyncio.sleep(0.01)
    for task in (dying, running):
        task.cancel()
    await asyncio.gather(dying, running, return_exceptions=True)
    assert fast.sent == ["entry-1"]


async def test_messages_added_by_many_writers_leave_in_order_through_many_relays(db: Database) -> None:
    buses = [SlowBus() for _ in range(3)]
    relays = [relay_on(db, bus) for bus in buses]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    for number in range(60):
        await add(db, f"m{number}")
        relays[number % 3].wake()
    async with asyncio.timeout(60):
        while await list_waiting(db):  # noqa: ASYNC110 - the relays decide when
            await asyncio.sleep(0.01)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    sent: list[Any] = [message_id for bus in buses for message_id in bus.sent]
    assert sorted(sent) == sorted(f"m{number}" for number in range(60))  # each once
    for bus in buses:
        assert bus.sent == sorted(bus.sent, key=lambda message_id: int(message_id[1:]))
