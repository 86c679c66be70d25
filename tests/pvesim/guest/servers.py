"""Real sockets for what listens in guests."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.http import Request, Response
from tests.pvesim.guest.listeners import Listener
from tests.pvesim.guest.world import World

MAX_BODY = 64 << 20
MAX_HEAD = 64 << 10
REQUEST_SECONDS = 30.0
LOOPBACK = "127."


class UdpSilence(asyncio.DatagramProtocol):
    """Takes datagrams and says nothing."""


@dataclass(slots=True)
class Bound:
    """A listener's socket, or why there is none."""

    listener: Listener
    address: str
    close: Callable[[], None] | None = None
    error: str = ""


@dataclass(slots=True)
class GuestServers:
    """Makes the real sockets match what guests listen on.

    `on_change` is awaited when a request changed a guest's data, before it is answered.
    """

    world: World
    on_change: Callable[[str], Awaitable[None]] | None = None
    _guests: dict[str, Guest] = field(default_factory=dict)
    _bound: dict[str, dict[tuple[int, str], Bound]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _writers: dict[str, set[asyncio.StreamWriter]] = field(default_factory=dict)

    async def sync(self, vmid_key: str, address: str | None, guest: Guest) -> None:
        """Open and close sockets until they are what the guest listens on; address None: none at all.

        Only addresses in 127.0.0.0/8 are bound. A port that cannot be bound is in `errors`.
        """
        async with self._lock:
            self._guests[vmid_key] = guest
            usable = address is not None and address.startswith(LOOPBACK)
            listeners = {one.key(): one for one in guest.listening() if _is_reachable(one)} if usable else {}
            held = self._bound.setdefault(vmid_key, {})
            for key, bound in list(held.items()):
                if key not in listeners or bound.address != address or bound.error:
                    self._close(held.pop(key))
            if not listeners:
                self._abort_connections(vmid_key)
            for key, listener in listeners.items():
                if key not in held:
                    held[key] = await self._open(vmid_key, address or "", listener)
            if not held:
                del self._bound[vmid_key], self._guests[vmid_key]

    def errors(self, vmid_key: str) -> dict[int, str]:
        """Ports of a guest that could not be bound, and why."""
        return {
            bound.listener.port: bound.error
            for bound in self._bound.get(vmid_key, {}).values()
            if bound.error
        }

    def ports(self, vmid_key: str) -> list[int]:
        """Ports of a guest that are bound."""
        return sorted(
            bound.listener.port for bound in self._bound.get(vmid_key, {}).values() if not bound.error
        )

    async def close(self) -> None:
        """Close everything."""
        async with self._lock:
            for key, held in list(self._bound.items()):
                for bound in held.values():
                    self._close(bound)
                self._abort_connections(key)
            self._bound.clear()

    def _close(self, bound: Bound) -> None:
        if bound.close:
            bound.close()

    def _abort_connections(self, vmid_key: str) -> None:
        for writer in self._writers.pop(vmid_key, set()):
            reset(writer)

    async def _open(self, vmid_key: str, address: str, listener: Listener) -> Bound:
        try:
            close = await self._bind(vmid_key, address, listener)
        except OSError as error:
            return Bound(listener, address, error=errno.errorcode.get(error.errno or 0, str(error)))
        return Bound(listener, address, close)

    async def _bind(self, vmid_key: str, address: str, listener: Listener) -> Callable[[], None]:
        if listener.proto == "udp":
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                UdpSilence, local_addr=(address, listener.port)
            )
            return transport.close

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(vmid_key, listener.key(), reader=reader, writer=writer)

        server = await asyncio.start_server(serve, address, listener.port, limit=MAX_HEAD)
        return server.close

    async def _serve(
        self,
        vmid_key: str,
        key: tuple[int, str],
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        held = self._writers.setdefault(vmid_key, set())
        held.add(writer)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._converse(vmid_key, key, reader=reader, writer=writer)
        except (
            TimeoutError,
            OSError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            ValueError,
            KeyError,
        ):
            reset(writer)
        finally:
            held.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(
        self,
        vmid_key: str,
        key: tuple[int, str],
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        guest = self._guests[vmid_key]
        listener = next((one for one in guest.listening() if one.key() == key), None)
        kind = listener.kind_at(self.world.clock()) if listener else "closed"
        if kind == "closed":
            reset(writer)
            return
        if kind == "tcp":
            await reader.read()
            return
        request = await read_request(reader)
        response = guest.respond(key, request, now=self.world.clock())
        if response is None:
            reset(writer)
            return
        await self._report_change(vmid_key, request, response)
        writer.write(response.render(head=request.method == "HEAD"))
        await writer.drain()

    async def _report_change(self, vmid_key: str, request: Request, response: Response) -> None:
        changed = request.method in ("PUT", "DELETE") and response.status < 300  # success
        if changed and self.on_change:
            await self.on_change(vmid_key)


def _is_reachable(listener: Listener) -> bool:
    return listener.bound and not listener.ip.startswith(LOOPBACK) and listener.ip != "[::1]"


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a TCP reset."""
    held = writer.get_extra_info("socket")
    if held is not None and not writer.transport.is_closing():
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """One HTTP/1.1 request.

    Raises:
        ValueError: it is none.
        asyncio.IncompleteReadError: it ends early.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    size = int(headers.get("content-length") or 0)
    if size > MAX_BODY:
        raise ValueError(f"body of {size} bytes")
    return Request(method.upper(), path, await reader.readexactly(size) if size else b"")
