"""The WebSockets of a service: allowed peers, how RPCs and refusals look as frames, and the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from deploy.certificates import make_certificates
from services.apps.convert.terminal import TerminalFrames
from services.apps.websockets import WebSocketServer
from services.common.rpc.server_context import Peers
from tests.e2e.stack import find_port
from tests.fakes.duplex import METHOD, DuplexWorld

PATH = "/api/apps/web-1/terminal"
OWN = {"Authorization": "Bearer prx_write"}
LIMIT_S = 60.0


@asynccontextmanager
async def serve(world: DuplexWorld, listen: str, **more: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a server, and wait until it listens."""
    server = WebSocketServer(
        listen=listen,
        method=METHOD,
        duplex=world.duplex,
        dialect=TerminalFrames(),
        service="apps",
        **{"peers": world.context.peers, **more},
    )
    running = asyncio.ensure_future(server.run())
    host, _, port = listen.rpartition(":")
    async with asyncio.timeout(LIMIT_S):
        while True:  # there is no event for a socket that listens
            try:
                _, writer = await (
                    asyncio.open_unix_connection(listen.removeprefix("unix:"))
                    if host == "unix"
                    else asyncio.open_connection(host, int(port))
                )
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            break
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def attach(socket: ClientConnection) -> None:
    assert json.loads(await socket.recv()) == {"type": "attached"}


async def find_error(socket: ClientConnection) -> tuple[dict[str, Any], int | None]:
    frames: list[str | bytes] = []
    async with asyncio.timeout(LIMIT_S):
        with contextlib.suppress(ConnectionClosed):
            while True:
                frames.append(await socket.recv())
    return (json.loads(frames[-1]) if frames else {}), socket.close_code


async def test_bytes_pass_in_both_directions_and_refusals_have_a_code(tmp_path: Path) -> None:
    world, path = DuplexWorld(), str(tmp_path / "ws.sock")
    async with serve(world, f"unix:{path}"):
        async with unix_connect(path, f"ws://apps{PATH}?columns=90", additional_headers=OWN) as socket:
            await attach(socket)
            await socket.send(b"\x1b[A\x00")
            assert await socket.recv() == b"\x1b[A\x00"
            await socket.send("ls")
            error, code = await find_error(socket)
            assert (error["code"], code) == ("INVALID_ARGUMENT", 4400)
        async with unix_connect(path, f"ws://apps{PATH}") as socket:
            error, code = await find_error(socket)
            assert (error["reason"], code) == ("CREDENTIALS_MISSING", 4401)
        async with unix_connect(path, "ws://apps/api/apps/none/terminal", additional_headers=OWN) as socket:
            error, code = await find_error(socket)
            assert (error["code"], code) == ("NOT_FOUND", 4404)
        async with unix_connect(path, f"ws://apps{PATH}", additional_headers=OWN) as socket:
            await attach(socket)
            await socket.send(b"boom")
            error, code = await find_error(socket)
            assert (error["error"], code) == ("Internal error", 4500)
        with pytest.raises(InvalidStatus) as caught:
            await unix_connect(path, "ws://apps/api/apps", additional_headers=OWN)
        assert caught.value.response.status_code == 404


async def test_a_client_that_pauses_gets_nothing_until_it_goes_on(tmp_path: Path) -> None:
    world, path = DuplexWorld(), str(tmp_path / "ws.sock")
    async with (
        serve(world, f"unix:{path}"),
        unix_connect(path, f"ws://apps{PATH}", additional_headers=OWN) as socket,
    ):
        await attach(socket)
        await socket.send('{"paused":true}')
        await socket.send(b"a")
        await asyncio.wait_for(world.shell.has_typed.wait(), LIMIT_S)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.2)
        await socket.send('{"paused":false}')
        assert await socket.recv() == b"a"


async def test_a_text_frame_brings_a_newer_token(tmp_path: Path) -> None:
    world, path = DuplexWorld(), str(tmp_path / "ws.sock")
    async with (
        serve(world, f"unix:{path}"),
        unix_connect(path, f"ws://apps{PATH}", additional_headers=OWN) as socket,
    ):
        await attach(socket)
        await socket.send('{"token": "prx_newer"}')
        await socket.send(b"a")
        assert await socket.recv() == b"a"
        await socket.send('{"token": "prx_bob"}')
        error, code = await find_error(socket)
        assert (error["reason"], code) == ("CREDENTIALS_INVALID", 4401)


async def test_a_server_that_ends_sends_its_clients_away(tmp_path: Path) -> None:
    world, path = DuplexWorld(), str(tmp_path / "ws.sock")
    async with (
        serve(world, f"unix:{path}") as running,
        unix_connect(path, f"ws://apps{PATH}", additional_headers=OWN) as socket,
    ):
        await attach(socket)
        running.cancel()
        _, code = await find_error(socket)
        assert code == 1001
        await asyncio.gather(running, return_exceptions=True)
        assert not world.shell.is_open


async def test_others_than_the_gateway_are_refused_by_their_network() -> None:
    world, port = DuplexWorld(), find_port()
    async with serve(world, f"127.0.0.1:{port}", peers=Peers(gateways=("10.0.0.0/8",))):
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{port}{PATH}", additional_headers=OWN, proxy=None)
        assert caught.value.response.status_code == 403
    async with (
        serve(world, f"127.0.0.1:{port}"),
        connect(f"ws://127.0.0.1:{port}{PATH}", additional_headers=OWN, proxy=None) as socket,
    ):
        await attach(socket)


async def test_with_certificates_the_gateways_alone_is_accepted(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    world, port = DuplexWorld(by_certificate=True), find_port()

    def open_as(name: str) -> Any:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        if name:
            context.load_cert_chain(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        url = f"wss://127.0.0.1:{port}{PATH}"
        return connect(url, ssl=context, server_hostname="apps", additional_headers=OWN, proxy=None)

    async with serve(world, f"127.0.0.1:{port}", tls_dir=tmp_path):
        async with open_as("gateway") as socket:
            await attach(socket)
        with pytest.raises(InvalidStatus) as caught:
            await open_as("inventory")
        assert caught.value.response.status_code == 403
        with pytest.raises((OSError, InvalidMessage)):
            await open_as("")
