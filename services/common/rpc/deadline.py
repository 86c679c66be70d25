"""The time that a handler has."""

from __future__ import annotations

import asyncio
from types import TracebackType

_TICK_S = 0.1
_FINE_S = 1.0


class Deadline:
    """Ends what runs in its block after `seconds`: `asyncio.timeout` with less around it, for every request.

    A timer for each request would be a quarter of what stands around a handler. So one timer of the event loop looks
    ten times a second at all that run; what has a second or more is ended up to a tenth of a second early, never late.

    Raises:
        TimeoutError: the block took longer.
    """

    __slots__ = ("_ends_at", "_handle", "_has_passed", "_seconds", "_task", "_watch")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_passed = False
        self._handle: asyncio.TimerHandle | None = None
        self._watch: _Watch | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        if self._seconds < _FINE_S:
            self._handle = loop.call_later(self._seconds, self.end)
        else:
            self._ends_at = loop.time() + self._seconds - _TICK_S
            self._watch = _watch_of(loop)
            self._watch.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._watch is not None:
            self._watch.running.discard(self)
        if not self._has_passed or self._task is None:
            return
        if self._task.uncancel() <= 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def has_ended(self, time: float) -> bool:
        """Whether it must not go on at a time of the event loop."""
        return self._ends_at <= time

    def end(self) -> None:
        """Cancel what runs in the block."""
        self._has_passed = True
        if self._task is not None:
            self._task.cancel()


class _Watch:
    """The deadlines of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.running: set[Deadline] = set()
        self._ticks = False

    def add(self, deadline: Deadline) -> None:
        self.running.add(deadline)
        if not self._ticks:
            self._ticks = True
            self.loop.call_later(_TICK_S, self._look)

    def _look(self) -> None:
        time = self.loop.time()
        for deadline in [each for each in self.running if each.has_ended(time)]:
            self.running.discard(deadline)
            deadline.end()
        self._ticks = bool(self.running)
        if self._ticks:
            self.loop.call_later(_TICK_S, self._look)


_current: list[_Watch] = []  # of this process's event loop; tests have one loop after the other


def _watch_of(loop: asyncio.AbstractEventLoop) -> _Watch:
    if not _current or _current[0].loop is not loop:
        _current[:] = [_Watch(loop)]
    return _current[0]
