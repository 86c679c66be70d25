"""The bus with a real NATS that is killed, comes back, and comes back empty."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.common.db.transactions import DatabaseUnavailableError
from services.common.messaging import bus as messaging
from services.common.messaging import consumer
from services.common.messaging import streams as poison_module
from services.common.messaging.bus import Bus, Message
from services.common.messaging.streams import REVOCATIONS_BUCKET, PoisonMessageError, PoisonMessages
from tests.store.killed_nats import JOB, LIMIT_S, Nats, bus, nats, publish

__all__ = ["bus", "nats"]


@pytest.mark.parametrize("wiped", [False, True], ids=["kept", "empty"])
async def test_messages_flow_again_when_nats_returns(nats: Nats, bus: Bus, wiped: bool) -> None:
    received: asyncio.Queue[str] = asyncio.Queue()

    async def handle(message: Msg) -> None:
        await received.put(message.data.decode())

    bus.consume("JOBS", JOB, durable="test-run", handler=handle)
    await publish(bus, "first")
    async with asyncio.timeout(LIMIT_S):
        assert await received.get() == "first"
    nats.kill()
    if wiped:
        shutil.rmtree(nats.folder)
    nats.start()
    await publish(bus, "second")
    async with asyncio.timeout(LIMIT_S):
        while await received.get() != "second":
            pass
    bucket = await bus.key_value(REVOCATIONS_BUCKET)
    await bucket.put("user.1", b"1")


@pytest.fixture
async def poison(bus: Bus, tmp_path: Path) -> AsyncIterator[PoisonMessages]:
    upgrade(f"sqlite:///{tmp_path}/p.sqlite3", "backups")
    db = Database(create_engine(f"sqlite:///{tmp_path}/p.sqlite3", service="backups"))
    bus.poison = PoisonMessages(db)
    yield bus.poison
    await bus.close()
    await db.close()


class Failing:
    """A handler that raises what it is given, message by message, and notes what it has processed."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.attempts = 0
        self.done: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, message: Msg) -> None:
        self.attempts += 1
        if self.error is not None and message.data.startswith(b"bad"):
            raise self.error
        await self.done.put(message.data.decode())


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110 - the consumer decides when
            await asyncio.sleep(0.02)


async def test_what_waits_for_a_database_is_delivered_without_a_limit(
    bus: Bus, poison: PoisonMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_LONGEST_DELAY_S", 0.02)
    handler = Failing(DatabaseUnavailableError("the database does not answer"))
    bus.consume("JOBS", JOB, durable="test-run", handler=handler)
    await publish(bus, "bad times")

    async def has_waited() -> bool:
        return handler.attempts > 50

    await wait_until(has_waited)
    handler.error = None
    async with asyncio.timeout(LIMIT_S):
        assert await handler.done.get() == "bad times"
    assert await poison.count() == 0


async def test_a_consumer_of_the_release_before_loses_its_limit(
    bus: Bus, poison: PoisonMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_LONGEST_DELAY_S", 0.02)
    config = ConsumerConfig(
        name="test-run",
        durable_name="test-run",
        filter_subject=JOB,
        ack_policy=AckPolicy.EXPLICIT,
        max_deliver=3,
    )
    await bus.jetstream().add_consumer("JOBS", config=config)
    handler = Failing(DatabaseUnavailableError("the database does not answer"))
    bus.consume("JOBS", JOB, durable="test-run", handler=handler)
    await publish(bus, "bad times")

    async def has_waited() -> bool:
        return handler.attempts > 10

    await wait_until(has_waited)
    assert await poison.count() == 0


@pytest.mark.parametrize("error", [PoisonMessageError("no report"), DecodeError("garbage"), KeyError("bug")])
async def test_a_poison_message_is_set_aside_counted_and_replayed(
    bus: Bus, poison: PoisonMessages, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(consumer, "_LONGEST_DELAY_S", 0.02)
    monkeypatch.setattr(consumer, "_REPLAY_S", 0.05)
    monkeypatch.setattr(consumer, "_MOST_FAILURES", 3)
    handler = Failing(error)
    bus.consume("JOBS", JOB, durable="test-run", handler=handler)
    for text in ("bad one", "good", "bad two"):
        await publish(bus, text)

    async def are_aside() -> bool:
        return await poison.count() == 2

    await wait_until(are_aside)
    assert await handler.done.get() == "good"
    attempts = handler.attempts
    first, second = sorted(await poison.list_all(), key=lambda one: one.payload)
    assert (first.subject, first.message_id, first.consumer) == (JOB, "bad one", "test-run")
    assert str(error) in first.error
    assert first.attempts == (3 if isinstance(error, KeyError) else 1)
    await poison.request_replay([first.id])

    async def has_failed_again() -> bool:
        return handler.attempts > attempts and not await poison.list_replays("test-run")

    await wait_until(has_failed_again)
    assert await poison.count() == 2
    handler.error = None
    await poison.request_replay([])
    async with asyncio.timeout(LIMIT_S):
        assert {await handler.done.get(), await handler.done.get()} == {"bad one", "bad two"}

    async def is_empty() -> bool:
        return await poison.count() == 0

    await wait_until(is_empty)
    assert (await bus.jetstream().stream_info("JOBS")).state.messages == 0
    assert second.id != first.id


async def test_a_flood_of_garbage_fills_no_database(
    bus: Bus, poison: PoisonMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison_module, "_MOST", 3)
    handler = Failing(PoisonMessageError("garbage"))
    bus.consume("JOBS", JOB, durable="test-run", handler=handler)
    await bus.publish(Message(JOB, b"bad" + b"x" * 100_000, "large"))
    for number in range(6):
        await publish(bus, f"bad {number}")
    await publish(bus, "good")
    async with asyncio.timeout(LIMIT_S):
        assert await handler.done.get() == "good"

    async def is_empty() -> bool:
        return (await bus.jetstream().stream_info("JOBS")).state.messages == 0

    await wait_until(is_empty)
    assert await poison.count() == 3


@pytest.mark.parametrize("lost", ["JOBS", f"KV_{REVOCATIONS_BUCKET}", "consumer"])
async def test_what_is_deleted_by_hand_is_created_again_while_it_runs(
    bus: Bus, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging, "_WATCH_S", 0.1)
    handler = Failing(None)
    connected: asyncio.Queue[None] = asyncio.Queue()

    async def note() -> None:
        await connected.put(None)

    bus.on_connect(note)
    other = Bus(bus._servers[0], name="other")
    other.start()
    other.on_connect(note)
    bus.consume("JOBS", JOB, durable="test-run", handler=handler)
    await publish(bus, "first")
    async with asyncio.timeout(LIMIT_S):
        assert await handler.done.get() == "first"
        await connected.get()
    js = bus.jetstream()
    if lost == "consumer":
        await js.delete_consumer("JOBS", "test-run")
    else:
        await js.delete_stream(lost)
        async with asyncio.timeout(LIMIT_S):  # both begin anew, whichever of them made it again
            await connected.get()
            await connected.get()
    await publish(bus, "second")
    async with asyncio.timeout(LIMIT_S):
        # The first may come again: nobody knows any more that it was acknowledged.
        while await handler.done.get() != "second":
            pass
        await (await bus.key_value(REVOCATIONS_BUCKET)).put("user.1", b"1")
    await other.close()
