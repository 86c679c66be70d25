"""A NATS that is killed, comes back, and comes back empty, and the bus of a process that uses it."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.common.core.errors import UnavailableError
from services.common.messaging import bus as messaging
from services.common.messaging.bus import Bus, Message

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
