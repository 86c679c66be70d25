"""The bus with a real NATS that is killed, comes back, and comes back empty."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from services.auth.domain.credentials import Revocation
from services.auth.jobs.revocation_publisher import RevocationPublisher
from services.auth.store.revocations import SqlRevocationStore, add_revocations
from services.clients.auth.verification import watch_revocations
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.common.db.transactions import DatabaseUnavailableError
from services.common.identity.tokens import Caller, Revocations, User
from services.common.messaging import bus as messaging
from services.common.messaging import consumer
from services.common.messaging import streams as poison_module
from services.common.messaging.bus import Bus, Message
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED, PoisonMessageError, PoisonMessages

LIMIT_S = 300.0  # within which work goes on when NATS is back
JOB = "jobs.test.v1.run"


class Nats:
    """A server that can be killed, wiped and started again at its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.start()

    def start(self) -> None:
        program = Path(sys.executable).parent / "nats-server"
        options = ["--jetstream", "--store_dir", str(self.folder), "--addr", "127.0.0.1"]
        self.process = subprocess.Popen(
            [str(program), *options, "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def fill_disk(self) -> None:
        """No file of its grows any more."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    server = Nats(tmp_path / "nats")
    yield server
    server.kill()


@pytest.fixture
async def bus(nats: Nats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    monkeypatch.setattr(messaging, "_REQUEST_TIMEOUT_S", 1.0)  # each test waits for one that is not answered
    bus = Bus(f"nats://127.0.0.1:{nats.port}", name="test")
    bus.start()
    assert await bus.wait_connected(timeout=LIMIT_S)
    yield bus
    await bus.close()


async def publish(bus: Bus, text: str) -> None:
    """Publish as the outbox's relay does: again until it is stored."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await bus.publish(Message(JOB, text.encode(), text))
            except UnavailableError:
                await asyncio.sleep(0.1)
            else:
                return


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


async def test_a_nats_whose_disk_is_full_refuses_and_still_tells_what_is_revoked(
    nats: Nats, bus: Bus, tmp_path: Path
) -> None:
    known = Revocations(lambda: bus.is_connected)
    following = asyncio.create_task(watch_revocations(bus, known))
    caller = Caller(User(7, "alice", is_staff=False), issued_at=100)
    async with asyncio.timeout(LIMIT_S):
        while not known.is_current:  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.01)
    nats.fill_disk()
    with pytest.raises(UnavailableError, match="did not take"):
        await bus.publish(Message(JOB, b"x" * 10_000, "too much"))
    assert bus.is_connected
    assert bus.is_refusing
    upgrade(f"sqlite:///{tmp_path}/p.sqlite3", "auth")
    db = Database(create_engine(f"sqlite:///{tmp_path}/p.sqlite3", service="auth"))
    await db.write(
        lambda connection: add_revocations(connection, [Revocation("user.7", 100.5)], moment=now())
    )
    publishing = asyncio.create_task(
        RevocationPublisher(SqlRevocationStore(db), bus=bus, revocations=Revocations()).run()
    )
    async with asyncio.timeout(LIMIT_S):
        while not known.is_revoked(caller):  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.01)
    nats.kill()
    nats.start()
    await publish(bus, "there is room again")
    assert not bus.is_refusing
    async with asyncio.timeout(LIMIT_S):
        while await SqlRevocationStore(db).list_unpublished(10):  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.05)
    assert (await (await bus.key_value(REVOCATIONS_BUCKET)).get("user.7")).value == b"100.500000"
    for task in (following, publishing):
        task.cancel()
    await asyncio.gather(following, publishing, return_exceptions=True)
    await db.close()


async def follow(bus: Bus) -> tuple[Revocations, asyncio.Task[None]]:
    known = Revocations(lambda: bus.is_connected)
    following = asyncio.create_task(watch_revocations(bus, known))
    await wait_for(lambda: known.is_current)
    return known, following


async def wait_for(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.01)


def signed_in(user_id: int) -> Caller:
    return Caller(User(user_id, "alice", is_staff=False), session="s1", token_id="t1", issued_at=time.time())


FORGED = [
    ("user.7", b"not-a-number"),
    ("user.7", b"99999999999"),  # the year 5138
    ("user.7", b"nan"),
    ("user.7", b"inf"),
    ("user.7", b"-1"),
    ("user.7", b""),
    ("user.7", b"\xff\xfe"),
    ("user.7", b"1" * 100_000),
    ("sid.s1", b"99999999999"),
    ("jti.t1", b"99999999999"),
    ("everybody", b"1"),
    ("user.7.and.more", b"1"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before a process starts", "while it follows"])
async def test_forged_revocations_are_reported_and_change_nothing(
    bus: Bus, before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = await bus.key_value(REVOCATIONS_BUCKET)
    known, following = (Revocations(), None) if before else await follow(bus)
    for number, (key, value) in enumerate(FORGED):
        await bucket.put(key, value)
        if before and number == len(FORGED) - 1:
            known, following = await follow(bus)
        if following is not None:
            await bus.hint(REVOKED, key.encode() + b" " + value)
    await bus.hint(REVOKED, b"\xff")
    await bucket.put("user.8", f"{time.time() + 1:.6f}".encode())
    await wait_for(lambda: known.is_revoked(signed_in(8)))
    assert known.is_current
    assert not known.is_revoked(signed_in(7))
    assert following is not None
    assert not following.done()
    assert "revocation_refused" in capsys.readouterr().out
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_revocation_that_an_operator_purges_ends(nats: Nats, bus: Bus) -> None:
    bucket = await bus.key_value(REVOCATIONS_BUCKET)
    known, following = await follow(bus)
    for user_id in (7, 8, 9):
        await bucket.put(f"user.{user_id}", f"{time.time() + 60:.6f}".encode())
        await wait_for(lambda user_id=user_id: known.is_revoked(signed_in(user_id)))  # type: ignore[misc]
    await bucket.purge("user.7")
    await wait_for(lambda: not known.is_revoked(signed_in(7)))
    await bucket.delete("user.8")
    await wait_for(lambda: not known.is_revoked(signed_in(8)))
    assert known.is_revoked(signed_in(9))
    nats.kill()
    shutil.rmtree(nats.folder)  # what is not there any more when the process follows again was removed, too
    nats.start()
    await wait_for(lambda: not known.is_revoked(signed_in(9)))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
