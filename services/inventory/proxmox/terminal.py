"""Parsers of a console's output: markers, and the output of one command."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Callable

from services.inventory.proxmox.websocket import ConsoleSocket

_MOST_BUFFERED = 64 * 1024  # bytes in which a marker is searched: containers may print without end


class Screen:
    """Output of a terminal, read until a marker comes."""

    def __init__(self, socket: ConsoleSocket) -> None:
        self._socket = socket
        self.seen = b""

    async def read(self, *, patience_s: float) -> bytes:
        """Return what it shows next; raises as `ConsoleSocket.read`."""
        return await self._socket.read(patience_s=max(patience_s, 0.001))

    async def find(self, marker: bytes, *, patience_s: float) -> None:
        """Wait until it shows `marker`.

        Raises:
            TimeoutError: nothing new for `patience_s`.
        """
        while marker not in self.seen:
            self.seen = (self.seen + await self.read(patience_s=patience_s))[-_MOST_BUFFERED:]

    async def shows(self, marker: bytes, *, within_s: float, given_up: Callable[[bytes], None]) -> bool:
        """Whether it shows `marker` within `within_s` seconds, whatever else it shows; `given_up` may raise at that."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while marker not in self.seen:
            given_up(self.seen)
            try:
                self.seen = (self.seen + await self.read(patience_s=end - loop.time()))[-_MOST_BUFFERED:]
            except TimeoutError:
                return False
        return True


class Echo:
    """Extracts the output of one command from the output of its terminal."""

    def __init__(self, token: str) -> None:
        self._begin = f"{token}-begin".encode()
        self._end = re.compile(rb"%s-end-(\d+)-" % token.encode())
        self._longest = len(token) + len("-end-255-")
        self._buffer = b""
        self._began = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.exit_code: int | None = None

    def feed(self, data: bytes) -> str:
        """Add what is shown; returns the command's output in it. `exit_code` is set at the end."""
        self._buffer += data
        if not self._began and not self._find_begin():
            return ""
        if found := self._end.search(self._buffer):
            # Everything behind the marker is the prompt of the shell.
            output, self._buffer = self._buffer[: found.start()], b""
            self.exit_code = int(found.group(1))
            return self._decode(output, final=True)
        retained = self._count_retained()
        output, self._buffer = (
            self._buffer[: len(self._buffer) - retained],
            self._buffer[len(self._buffer) - retained :],
        )
        return self._decode(output, final=False)

    def _find_begin(self) -> bool:
        _, found, after = self._buffer.partition(self._begin)
        if not found or b"\n" not in after:
            self._buffer = self._buffer[-_MOST_BUFFERED:]
            return False
        self._began, self._buffer = True, after.partition(b"\n")[2]
        return True

    def _count_retained(self) -> int:
        """Count the bytes at the end that may be the beginning of the end marker, or half a line break."""
        tail = self._buffer[-self._longest :]
        first = self._begin[:1]
        at = tail.rfind(first + b"x")
        if at >= 0:
            return len(tail) - at
        return 1 if tail.endswith((b"\r", first)) else 0

    def _decode(self, output: bytes, *, final: bool) -> str:
        return self._decoder.decode(output.replace(b"\r\n", b"\n"), final)
