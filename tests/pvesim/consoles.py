"""vncwebsocket: the frames between a client and a container's shell."""

import asyncio
import re
from collections.abc import Iterator

from aiohttp import WSMsgType, web

from tests.pvesim.guest.console import Console
from tests.pvesim.model.consoles import OPENING_SECONDS, Session
from tests.pvesim.simulation import Simulation, find_guest

MAX_MESSAGE = 4 << 20
NO_GUEST = b"\r\ncontainer is not running\r\n"


class Frames:
    """Takes a client's bytes apart: `0:<length>:<data>`, `1:<columns>:<rows>:`, `2`."""

    def __init__(self) -> None:
        self._held = b""
        self.size: tuple[int, int] | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add bytes; yields what was typed, frame by frame."""
        self._held += data
        while True:
            typed = self._take()
            if typed is None:
                return
            if typed:
                yield typed

    def _take(self) -> bytes | None:
        """The next frame's input (empty for a resize or ping), None when it is not all there."""
        if self._held.startswith(b"2"):
            self._held = self._held[1:]
            return b""
        if resize := re.match(rb"1:(\d+):(\d+):", self._held):
            self.size = int(resize[1]), int(resize[2])
            self._held = self._held[resize.end() :]
            return b""
        head = re.match(rb"0:(\d+):", self._held)
        if head is None:
            self._skip_garbage()
            return None
        end = head.end() + int(head[1])
        if len(self._held) < end:
            return None
        typed, self._held = self._held[head.end() : end], self._held[end:]
        return typed

    def _skip_garbage(self) -> None:
        """Bytes that begin no frame are dropped, as the real program does."""
        if self._held and not re.match(rb"[01](:\d*)*$", self._held):
            self._held = b""


class Consoles:
    """The consoles of all containers: one shell each, however many are attached."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._open: dict[int, Console] = {}

    async def serve(self, request: web.Request, session: Session) -> web.WebSocketResponse:
        """Upgrade a request and connect it to the session's container."""
        socket = web.WebSocketResponse(protocols=("binary",), max_msg_size=MAX_MESSAGE)
        await socket.prepare(request)
        session.connected = True
        try:
            if await self._admit(socket, session):
                await self._talk(socket, session)
        finally:
            session.closed = True
            await socket.close()
        return socket

    async def _admit(self, socket: web.WebSocketResponse, session: Session) -> bool:
        """The first line names the user and repeats the ticket."""
        wanted = f"{session.user}:{session.ticket}\n".encode()
        got = b""
        while b"\n" not in got:
            message = await socket.receive(timeout=OPENING_SECONDS)
            if message.type not in {WSMsgType.BINARY, WSMsgType.TEXT}:
                return False
            got += _to_bytes(message.data)
        if got.partition(b"\n")[0] + b"\n" != wanted:
            return False
        await socket.send_bytes(b"OK")
        return True

    async def _talk(self, socket: web.WebSocketResponse, session: Session) -> None:
        console = await self._find(session.vmid)
        if console is None:
            await socket.send_bytes(NO_GUEST)
            return
        shown: asyncio.Queue[bytes] = asyncio.Queue()
        console.attach(shown.put_nowait)
        sender = asyncio.get_running_loop().create_task(_send(socket, shown))
        frames = Frames()
        try:
            async for message in socket:
                if message.type in {WSMsgType.BINARY, WSMsgType.TEXT}:
                    for typed in frames.feed(_to_bytes(message.data)):
                        await console.feed(typed)
                    if frames.size is not None:
                        console.resize(*frames.size)
        finally:
            console.detach(shown.put_nowait)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _find(self, vmid: int) -> Console | None:
        """The container's console, a new one when it was restarted meanwhile."""
        container = self._sim.cluster.containers.get(vmid)
        guest = find_guest(container)
        held = self._open.get(vmid)
        if held is not None and (held.guest is not guest or not guest.running):
            del self._open[vmid]  # first: while it is closed, others look
            await held.close()
        if container is None or guest is None or not container.running:
            return None
        if vmid not in self._open:
            login = container.config.get("cmode", "tty") != "shell"
            attach_s = self._sim.cluster.attach_seconds
            self._open[vmid] = Console(guest, self._sim.world, login=login, attach_s=attach_s)
        return self._open[vmid]

    async def close_stopped(self) -> None:
        """End the shells of containers that no longer run."""
        for vmid in list(self._open):
            await self._find(vmid)

    async def close(self) -> None:
        """End every shell."""
        for console in self._open.values():
            await console.close()
        self._open.clear()


def _to_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


async def _send(socket: web.WebSocketResponse, shown: "asyncio.Queue[bytes]") -> None:
    while True:
        await socket.send_bytes(await shown.get())
