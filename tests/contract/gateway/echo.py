"""A service's WebSockets that repeat what they get, and clients of the gateway in front of them."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.sync.client import connect

from tests.contract.gateway.envoy import Envoy

PATH = "/api/apps/web-1/terminal"


class Echo:
    """The WebSockets of a service: each frame comes back; the first answer names the path and the headers."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._ended: asyncio.Event = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._listens.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        async with serve(self._answer, "127.0.0.1", 0, ssl=self._context) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._listens.set()
            await self._ended.wait()

    @staticmethod
    async def _answer(socket: ServerConnection) -> None:
        assert socket.request is not None
        names = ("x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-proximity-owner", "cookie")
        shown = [socket.request.path, *(str(socket.request.headers.get(name)) for name in names)]
        await socket.send("\n".join(shown))
        async for frame in socket:
            await socket.send(frame)


def open_socket(
    envoy: Envoy, path: str = PATH, *, https: bool = False, origin: Any = None, **headers: str
) -> Any:
    """Connect; names of headers have underscores."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return connect(
        f"{'wss' if https else 'ws'}://127.0.0.1:{envoy.port}{path}",
        ssl=context if https else None,
        origin=origin,
        additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
        compression=None,
        open_timeout=10,
        close_timeout=5,
        proxy=None,
    )
