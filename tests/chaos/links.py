"""TCP connections through a door of our own, which can be cut, held, delayed and shut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence

_CHUNK = 1 << 16
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Link:
    """Passes bytes on from a port to another one of the same address.

    Args:
        name: what it leads to.
        port: where it listens.
        target: the port it leads to.
        addresses: it listens on each of them and leads to the same.
    """

    def __init__(
        self, name: str, port: int, target: int, *, addresses: Sequence[str] = ("127.0.0.1",)
    ) -> None:
        self.name = name
        self.port = port
        self._target = target
        self._addresses = addresses
        self._servers: list[asyncio.Server] = []
        self._starting = asyncio.Lock()
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._delay = 0.0

    async def start(self) -> None:
        """Listen, unless it does."""
        async with self._starting:
            if self._servers:
                return
            for address in self._addresses:
                server = await asyncio.start_server(self._accept_on(address), address, self.port)
                self._servers.append(server)

    def shut(self) -> None:
        """Refuse new connections and reset those that are open, until `start`."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self.cut()

    async def close(self) -> None:
        """End every connection and listen no more."""
        self.shut()
        for task in list(self._passing):
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await asyncio.sleep(0)  # the transports that were aborted close their sockets now

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for writer in list(self._writers):
            _reset(writer)

    def hold(self) -> None:
        """Pass nothing on until `heal`: neither bytes nor the end."""
        self._open.clear()

    def delay(self, seconds: float) -> None:
        """Pass every piece on this much later, until `heal`."""
        self._delay = seconds

    def heal(self) -> None:
        """Pass everything on at once."""
        self._delay = 0.0
        self._open.set()

    def _accept_on(self, address: str) -> Accept:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._pass(address, reader, writer))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

        return accept

    async def _pass(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(address, self._target)
        except OSError:
            self._writers.discard(writer)
            _reset(writer)
            return
        self._writers.add(back)
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except OSError:
            pass  # one end is gone; so is the other
        finally:
            for each in (writer, back):
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_CHUNK):
            await self._open.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            writer.write(piece)
            await writer.drain()
        await self._open.wait()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a peer that died does, instead of a polite end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
