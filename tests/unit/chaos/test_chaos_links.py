"""A link passes bytes on, and can be cut, held, delayed and healed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.chaos.links import Link
from tests.e2e.stack import find_port

LIMIT_S = 300.0


class Echo:
    """Sends back what it gets; its connections can be waited for."""

    def __init__(self) -> None:
        self.answering: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answering.add(asyncio.ensure_future(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(100):
                writer.write(piece)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def connect(link: Link) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    port = find_port()
    echo = Echo()
    server = await asyncio.start_server(echo.accept, "127.0.0.1", port)
    link = Link("echo", find_port(), port)
    await link.start()
    yield link
    await link.close()
    await asyncio.wait_for(asyncio.gather(*echo.answering), LIMIT_S)
    server.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    await writer.drain()
    return await asyncio.wait_for(reader.readexactly(len(text)), LIMIT_S)


async def test_bytes_pass_in_both_directions_and_so_does_the_end(link: Link) -> None:
    async with connect(link) as (reader, writer):
        assert await ask(reader, writer, b"hello") == b"hello"
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""


async def test_a_cut_resets_what_is_open_and_takes_new_connections(link: Link) -> None:
    async with connect(link) as (reader, writer):
        await ask(reader, writer, b"hello")
        link.cut()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.readexactly(1), LIMIT_S)
    async with connect(link) as (reader, writer):
        assert await ask(reader, writer, b"again") == b"again"


async def test_what_is_held_arrives_when_it_heals(link: Link) -> None:
    async with connect(link) as (reader, writer):
        link.hold()
        answer = asyncio.create_task(ask(reader, writer, b"hello"))
        assert not (await asyncio.wait({answer}, timeout=0.1))[0]
        link.heal()
        assert await answer == b"hello"


async def test_a_delay_lasts_until_it_heals(link: Link) -> None:
    async with connect(link) as (reader, writer):
        link.delay(0.1)
        began = time.monotonic()
        assert await ask(reader, writer, b"hello") == b"hello"
        assert time.monotonic() - began >= 0.2
        link.heal()
        assert await ask(reader, writer, b"hello") == b"hello"


async def test_a_target_that_is_down_looks_like_a_reset() -> None:
    link = Link("nothing", find_port(), find_port())
    await link.start()
    async with connect(link) as (reader, _):
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.readexactly(1), LIMIT_S)
    await link.close()


async def test_a_link_that_is_shut_refuses_until_it_is_started(link: Link) -> None:
    async with connect(link) as (reader, writer):
        writer.write(b"x")
        assert await asyncio.wait_for(reader.read(1), LIMIT_S) == b"x"
        link.shut()
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), LIMIT_S) == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", link.port)
    await asyncio.gather(link.start(), link.start())
    async with connect(link) as (reader, writer):
        writer.write(b"y")
        assert await asyncio.wait_for(reader.read(1), LIMIT_S) == b"y"
