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


class ShellOutput:
    """Extracts the output of an interactive shell that runs inside another one.

    Nothing is withheld but what may be the beginning of the end marker, which starts with an escape character.

    Attributes:
        exit_status: of the shell; None while it runs.
        has_begun: whether the marker of its begin was shown.
    """

    def __init__(self, token: str) -> None:
        self._begin = f"{token}-begin".encode()
        self._mark = f"\x1b_{token}-end-".encode()
        self._end = re.compile(re.escape(self._mark) + rb"(\d+)-")
        self._open = re.compile(re.escape(self._mark) + rb"\d*$")
        self._buffer = b""
        self._ready = b""
        self.has_begun = False
        self.exit_status: int | None = None

    @property
    def has_escape(self) -> bool:
        """Whether a lone escape character is withheld, of which more may come."""
        return self._buffer in (b"\x1b", b"\x1b_")

    def feed(self, data: bytes) -> None:
        """Add what the terminal shows; what comes behind the end belongs to the outer shell."""
        if self.exit_status is not None:
            return
        self._buffer += data
        if not self.has_begun:
            _, found, after = self._buffer.partition(self._begin)
            if not found or b"\n" not in after:
                self._buffer = self._buffer[-_MOST_BUFFERED:]
                return
            self.has_begun, self._buffer = True, after.partition(b"\n")[2]
        if ended := self._end.search(self._buffer):
            # Everything behind the marker is the prompt of the outer shell.
            self._ready, self._buffer = self._ready + self._buffer[: ended.start()], b""
            self.exit_status = int(ended.group(1))
            return
        shown = len(self._buffer) - self._count_withheld()
        self._ready, self._buffer = self._ready + self._buffer[:shown], self._buffer[shown:]

    def take(self) -> bytes:
        """Return the output since the last call."""
        ready, self._ready = self._ready, b""
        return ready

    def flush(self) -> None:
        """Release what was withheld: nothing followed it in time."""
        self._ready, self._buffer = self._ready + self._buffer, b""

    def _count_withheld(self) -> int:
        if partial := self._open.search(self._buffer):
            return len(self._buffer) - partial.start()
        longest = min(len(self._buffer), len(self._mark))
        return next((n for n in range(longest, 0, -1) if self._buffer.endswith(self._mark[:n])), 0)
