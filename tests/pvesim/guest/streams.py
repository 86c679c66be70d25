"""Standard input and output of simulated processes."""

from collections.abc import Callable
from typing import Protocol


class Sink(Protocol):
    """Where a process writes."""

    def write(self, data: bytes) -> None: ...


class Source(Protocol):
    """Where a process reads; b"" is the end of input."""

    async def read_line(self) -> bytes: ...
    async def read_all(self) -> bytes: ...
    async def read_some(self, size: int) -> bytes: ...


class BytesSink:
    """Collects what is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def value(self) -> bytes:
        return b"".join(self._parts)


class CallSink:
    """Hands on what is written, as it is written."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive

    def write(self, data: bytes) -> None:
        if data:
            self._receive(data)


class NullSink:
    """/dev/null."""

    def write(self, data: bytes) -> None:
        """Forget it."""


class BytesSource:
    """Input known beforehand; readers share its position."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data
        self._at = 0

    async def read_line(self) -> bytes:
        end = self._data.find(b"\n", self._at)
        return self._take(len(self._data) if end < 0 else end + 1)

    async def read_all(self) -> bytes:
        return self._take(len(self._data))

    async def read_some(self, size: int) -> bytes:
        return self._take(min(len(self._data), self._at + size))

    def _take(self, end: int) -> bytes:
        part, self._at = self._data[self._at : end], end
        return part
