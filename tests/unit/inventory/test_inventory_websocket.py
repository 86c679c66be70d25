"""Attaching to a console: a connection on which it fails is closed, since Proxmox's process for it lasts as long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from services.inventory.domain.access import Access
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox import websocket
from services.inventory.proxmox.websocket import open_console
from tests.pvesim.tls import ensure_certificate

LIMIT_S = 60.0


@dataclass
class FakeConsole:
    """A host whose console takes the ticket and greets with one message, or says nothing."""

    access: Access
    greeting: bytes = b""
    ticket_taken: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, path: str, /, **_: Any) -> Any:
        return {"user": "root@pam", "ticket": "t", "port": "5900"}

    async def get_headers(self) -> dict[str, str]:
        return {}

    async def handle(self, connection: ServerConnection) -> None:
        await connection.recv()
        self.ticket_taken.set()
        if self.greeting:
            await connection.send(self.greeting)
        try:
            await connection.recv()
        except ConnectionClosed:
            self.closed.set()

    async def wait_until_closed(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            await self.closed.wait()


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[FakeConsole]:
    context, fingerprint = ensure_certificate(tmp_path, ["pve"])
    consoles: list[FakeConsole] = []

    async def handle(connection: ServerConnection) -> None:
        await consoles[0].handle(connection)

    async with serve(handle, "127.0.0.1", 0, ssl=context, subprotocols=[cast("Any", "binary")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        access = Access(1, "pve", "127.0.0.1", port, "root@pam", fingerprint=fingerprint)
        consoles.append(FakeConsole(access))
        yield consoles[0]


async def attach(console: FakeConsole) -> None:
    await open_console(cast("ProxmoxApi", console), "pve", vmid=100)


async def test_a_console_that_does_not_greet_is_left(
    console: FakeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CONNECT_TIMEOUT_S", 2.0)
    with pytest.raises(HostUnreachableError, match="does not open"):
        await attach(console)
    if console.ticket_taken.is_set():  # else the machine was too slow for a connection
        await console.wait_until_closed()


async def test_a_console_that_refuses_its_ticket_is_left(console: FakeConsole) -> None:
    console.greeting = b"no"
    with pytest.raises(HostUnreachableError, match="refuses its own ticket"):
        await attach(console)
    await console.wait_until_closed()


async def test_a_caller_that_goes_away_before_the_greeting_leaves_no_connection(console: FakeConsole) -> None:
    attaching = asyncio.create_task(attach(console))
    async with asyncio.timeout(LIMIT_S):
        await console.ticket_taken.wait()
    attaching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attaching
    await console.wait_until_closed()
