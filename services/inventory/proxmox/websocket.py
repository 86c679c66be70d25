"""The websocket of a container's console: termproxy's ticket, its frames, the host's certificate checked first."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from services.inventory.domain.access import Access
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.proxmox_api import ProxmoxApi

CONNECT_TIMEOUT_S = 10.0  # Proxmox withdraws a ticket after that time
_PING_S = 20.0  # proxies close connections that are idle for 60 s, some for 30 s
_MAX_MESSAGE = 4 << 20  # bytes; termproxy sends at most 64 KiB at once


class ConsoleSocket:
    """One attachment to the shell of a container."""

    def __init__(self, socket: ClientConnection, place: str) -> None:
        self._socket = socket
        self._place = place

    async def type(self, data: bytes) -> None:
        """Type, as a keyboard would.

        Raises:
            HostUnreachableError: the connection broke.
        """
        await self._send(b"0:%d:%s" % (len(data), data))

    async def read(self, *, patience_s: float) -> bytes:
        """Return what the terminal shows next.

        Raises:
            TimeoutError: nothing for `patience_s`.
            HostUnreachableError: the connection broke.
        """
        end = asyncio.get_running_loop().time() + patience_s
        while True:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                raise TimeoutError
            try:
                # Each wait ends in time for the next ping.
                async with asyncio.timeout(min(left, _PING_S)):
                    message = await self._socket.recv()
            except TimeoutError:
                await self._send(b"2")  # keeps proxies on the way from closing an idle connection
                continue
            except (WebSocketException, OSError) as error:
                raise self._broken(error) from error
            return message.encode() if isinstance(message, str) else message

    async def resize(self, columns: int, rows: int) -> None:
        """Set the size of the terminal.

        Raises:
            HostUnreachableError: the connection broke.
        """
        await self._send(b"1:%d:%d:" % (columns, rows))

    async def close(self) -> None:
        """Detach; the shell goes on."""
        await self._socket.close()

    async def _send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame)
        except (WebSocketException, OSError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> HostUnreachableError:
        return HostUnreachableError(f"the console of {self._place} broke: {error}", retry_after=2)


class _Connect(connect):
    """A connection whose redirects are not followed: the ticket belongs to one address."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Fail with what the server answered."""
        return exc


async def open_console(client: ProxmoxApi, node: str, *, vmid: int) -> ConsoleSocket:
    """Attach to the shell of a running container.

    Raises:
        HostUnreachableError: no connection.
        DomainError: Proxmox gives no ticket.
    """
    path = f"/nodes/{node}/lxc/{vmid}"
    place = f"container {vmid} on {client.access.name}"
    ticket: dict[str, Any] = await client.post(f"{path}/termproxy")
    query = f"port={ticket['port']}&vncticket={quote(str(ticket['ticket']), safe='')}"
    url = client.access.base_url.replace("https://", "wss://") + f"{path}/vncwebsocket?{query}"
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                socket = await _Connect(
                    url,
                    ssl=make_context(client.access),
                    additional_headers=await client.get_headers(),
                    subprotocols=["binary"],  # type: ignore[list-item]  # a NewType of str
                    compression=None,
                    ping_interval=None,  # the frames have a ping of their own
                    proxy=None,
                    max_size=_MAX_MESSAGE,
                )
                console = ConsoleSocket(socket, place)
                # Also when the caller goes away now: Proxmox's process for it lasts as long as the connection.
                stack.push_async_callback(console.close)
                await socket.send(f"{ticket['user']}:{ticket['ticket']}\n".encode())
                greeting = await console.read(patience_s=CONNECT_TIMEOUT_S)
        except (WebSocketException, OSError, TimeoutError) as error:
            why = str(error) or "timed out"
            raise HostUnreachableError(
                f"the console of {place} does not open: {why}", retry_after=2
            ) from error
        if not greeting.startswith(b"OK"):
            raise HostUnreachableError(f"the console of {place} refuses its own ticket", retry_after=2)
        stack.pop_all()
    return console


def make_context(access: Access) -> ssl.SSLContext:
    """Verify the host's certificate as the API's requests do: pinned, or signed by somebody known."""
    context = ssl.create_default_context()
    if access.fingerprint or not access.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if access.fingerprint:
        context.sslobject_class = _make_pinned(access.fingerprint)
    return context


def _make_pinned(fingerprint: str) -> type[ssl.SSLObject]:
    """TLS that ends before anything is sent when the certificate is another one."""
    wanted = fingerprint.replace(":", "").lower()

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            if digest_certificate(self.getpeercert(binary_form=True) or b"") != wanted:
                raise ssl.SSLError("its certificate is not the pinned one")

    return Pinned


def digest_certificate(der: bytes) -> str:
    """The SHA-256 fingerprint of a certificate, lower-case and without colons."""
    return sha256(der).hexdigest()
