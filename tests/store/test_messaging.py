"""The bus with a real NATS that is killed, comes back, and comes back empty."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from services.auth.domain.entities import Revocation
from services.auth.revoking import RevocationPublisher
from services.auth.store.revocations import SqlRevocationStore, add_revocations
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.common.identity.tokens import Caller, Revocations, User
from services.common.messaging import bus as messaging
from services.common.messaging.bus import Bus, Message
from services.common.messaging.revocation_feed import watch_revocations
from services.common.messaging.streams import REVOCATIONS_BUCKET

LIMIT_S = 15.0  # within which work goes on when NATS is back
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
    await db.write(lambda connection: add_revocations(connection, [Revocation("user.7", 100.5)], now()))
    publishing = asyncio.create_task(RevocationPublisher(SqlRevocationStore(db), bus, Revocations()).run())
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
