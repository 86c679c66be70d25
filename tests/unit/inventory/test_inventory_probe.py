"""Ports that are asked whether they answer."""

from __future__ import annotations

import asyncio

import pytest

from services.inventory.proxmox.inside import _ask


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"x" * 200_000, None),
        (b"SSH-2.0-x\r\n", None),
        (b"", None),
    ],
)
async def test_whatever_a_port_says_there_is_an_answer(said: bytes, status: int | None) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        probe = await _ask("127.0.0.1", port, scheme="http", path="/")
    assert (probe.answered, probe.http_status) == (status is not None, status)
