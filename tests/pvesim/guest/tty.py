"""A terminal's line discipline: echo, editing of lines, interrupts, line ends."""

import asyncio
import re
from collections.abc import Callable

LINE_LIMIT = 4095
"""Bytes of a line that the terminal keeps in canonical mode; what comes after is lost up to the end of the line."""
CONTROL = re.compile(rb"([\r\n\x03\x04\x08\x15\x7f])")
POSITION = re.compile(rb"\x1b\[\d+;\d+R")
"""The answer of a terminal to the question for the cursor's position."""
Output = Callable[[bytes], None]


class Tty:
    """A terminal that programs read lines from, and whose output everybody attached gets.

    `feed` takes what was typed; outputs get what it shows (CRLF line ends). `foreground` is the stack of what reads it:
    the task of a command, or None while a shell waits at its prompt.
    """

    def __init__(self, *, columns: int = 80, rows: int = 24) -> None:
        self.echo = True
        self.columns, self.rows = columns, rows
        self.prompt_limit = LINE_LIMIT
        self.asks_position = False
        self.foreground: list[asyncio.Task[int] | None] = []
        self._outputs: list[Output] = []
        self._typed = bytearray()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._pending = b""

    def attach(self, output: Output) -> None:
        """Send what the terminal shows to `output` too."""
        self._outputs.append(output)

    def detach(self, output: Output) -> None:
        """Stop sending to `output`."""
        if output in self._outputs:
            self._outputs.remove(output)

    def resize(self, columns: int, rows: int) -> None:
        """Set the size in characters."""
        self.columns, self.rows = columns, rows

    async def feed(self, data: bytes) -> None:
        """Take input as typed or pasted."""
        if self.asks_position:  # the line editor that asked takes the answer
            data = POSITION.sub(b"", data)
        for piece in CONTROL.split(data):
            if CONTROL.fullmatch(piece):
                self._press(piece)
            elif piece:
                self._type(piece)
        await asyncio.sleep(0)

    def show(self, data: bytes) -> None:
        """Output as a program writes it; line feeds become CRLF."""
        self.send(re.sub(rb"(?<!\r)\n", b"\r\n", data))

    def send(self, data: bytes) -> None:
        """Output as it is."""
        for output in list(self._outputs):
            output(data)

    def interrupt_line(self) -> None:
        """Have the shell at its prompt begin a new line."""
        self._lines.put_nowait(b"\x03")

    def _type(self, text: bytes) -> None:
        at_prompt = not self.foreground or self.foreground[-1] is None
        limit = self.prompt_limit if at_prompt else LINE_LIMIT
        kept = text[: max(0, limit - len(self._typed))]
        self._typed += kept
        if self.echo:
            self.send(kept)

    def _press(self, key: bytes) -> None:
        if key in b"\r\n":
            self._enter(b"\n")
        elif key == b"\x03":
            self._interrupt()
        elif key == b"\x04":
            self._enter(b"")
        elif key == b"\x15":
            self._typed.clear()
        elif self._typed:
            self._typed.pop()
            if self.echo:
                self.send(b"\b \b")

    def _enter(self, end: bytes) -> None:
        if self.echo and end:
            self.send(b"\r\n")
        self._lines.put_nowait(bytes(self._typed) + end)
        self._typed.clear()

    def _interrupt(self) -> None:
        self._typed.clear()
        reader = self.foreground[-1] if self.foreground else None
        if reader and not reader.done():
            self.send(b"^C")
            reader.cancel()
        else:
            self.interrupt_line()

    # Source: programs read the terminal

    async def read_line(self) -> bytes:
        line, self._pending = self._pending or await self._lines.get(), b""
        return line

    async def read_all(self) -> bytes:
        parts = []
        while part := await self.read_line():
            parts.append(part)
        return b"".join(parts)

    async def read_some(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            line = await self.read_line()
            if not line:
                break
            parts += line
        self._pending = bytes(parts[size:])
        return bytes(parts[:size])
