"""The time that a handler has: until its caller gives up, or until its server ends.

A server that ends refuses new calls, finishes open ones, and answers UNAVAILABLE where it cannot (`drain`). Calls that reach
it then, and those that it had not yet begun, gRPC itself answers with CANCELLED, and so it does with those that still run
when their time is over. The two must be distinguished: the gateway sends the first to another replica, writes too; the
second may have been done. So the second are ended before gRPC would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TypeVar

import grpc

from services.common.core.errors import DeadlineError, UnavailableError

T = TypeVar("T")

_DEFAULT_S = 30.0  # for callers that set no deadline
_LONGEST_S = 600.0  # of unary calls: a deadline of days would occupy a place of `calls_per_user`
_MARGIN_S = 0.02  # the refusal must reach the caller before the caller gives up
_TICK_S = 0.1  # resolution of the timer that longer calls share
_FINE_S = 1.0  # calls with less time get a timer of their own: a tick would be a tenth of it


class DeadlineExceededError(DeadlineError):
    """The work took longer than the caller would wait."""


class ServerEndingError(UnavailableError):
    """The server shuts down before the call has ended."""


def limit_time(remaining: float | None) -> float:
    """Seconds that a handler may take when its caller waits `remaining` seconds (None: sets no deadline)."""
    return _DEFAULT_S if remaining is None else min(max(remaining - _MARGIN_S, 0.001), _LONGEST_S)


class Deadline:
    """Ends what runs in its block after `seconds`: `asyncio.timeout` with less around it, for every request.

    A timer for each request would cost a quarter of the interceptors. So one timer of the event loop looks
    ten times a second at all that run; what has a second or more is ended up to a tenth of a second early, never late.

    Args:
        seconds: None has all the time until the server ends, and then none.

    Raises:
        TimeoutError: the block took longer.
        ServerEndingError: `end_calls` or `end_listening` ended it.
    """

    __slots__ = (
        "_ends_at",
        "_handle",
        "_is_cancelled",
        "_is_deferred",
        "_seconds",
        "_task",
        "_watch",
        "_why",
    )

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._why: Exception | None = None
        self._is_cancelled = False
        self._is_deferred = False
        self._handle: asyncio.TimerHandle | None = None
        self._watch: _Watch | None = None

    def __enter__(self) -> Deadline:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        if self._seconds is None:
            self._watch = _watch_of(loop)
            self._watch.listening.add(self)
        elif self._seconds < _FINE_S:
            self._handle = loop.call_later(self._seconds, self.end, TimeoutError())
        else:
            self._ends_at = loop.time() + self._seconds - _TICK_S
            self._watch = _watch_of(loop)
            self._watch.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._watch is not None:
            self._watch.discard(self)
        if self._why is None or self._task is None or not self._is_cancelled:
            return
        if self._task.uncancel() <= 0 and kind is asyncio.CancelledError:
            raise self._why from error

    def has_ended(self, time: float) -> bool:
        """Whether it must not go on at a time of the event loop."""
        return self._ends_at <= time

    def end(self, why: Exception) -> None:
        """Cancel what runs in the block, which raises `why`; while that is deferred, `resume` raises it."""
        if self._why is None and self._task is not None:
            self._why = why
            if not self._is_deferred:
                self._is_cancelled = True
                self._task.cancel()

    def defer(self) -> None:
        """Cancel nothing until `resume`."""
        self._is_deferred = True

    def resume(self) -> None:
        """Allow cancellation again, and raise what ended the block meanwhile."""
        self._is_deferred = False
        if self._why is not None:
            raise self._why


async def end_with_server(items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Pass on the items of an endless stream until the server ends.

    A stream is not cancelled while gRPC writes an item: its server would never send a status then, and wait for the
    stream until the end of its grace period.

    Raises:
        ServerEndingError: `end_listening` or `end_calls` ended it.
    """
    with Deadline(None) as deadline:
        async for item in items:
            deadline.defer()
            yield item
            deadline.resume()


def end_listening() -> None:
    """End calls that would go on for ever; their clients reconnect to another replica."""
    for watch in _current:
        for each in tuple(watch.listening):
            each.end(ServerEndingError("the server ends; try again"))


def end_calls() -> None:
    """End every call that is under way, but for those that have less than a second left."""
    end_listening()
    for watch in _current:
        for each in tuple(watch.running):
            each.end(ServerEndingError("the server ended meanwhile; it is not known whether this was done"))


class _Watch:
    """The deadlines of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.running: set[Deadline] = set()
        self.listening: set[Deadline] = set()
        self._ticks = False

    def add(self, deadline: Deadline) -> None:
        self.running.add(deadline)
        if not self._ticks:
            self._ticks = True
            self.loop.call_later(_TICK_S, self._look)

    def discard(self, deadline: Deadline) -> None:
        self.running.discard(deadline)
        self.listening.discard(deadline)

    def _look(self) -> None:
        time = self.loop.time()
        for deadline in [each for each in self.running if each.has_ended(time)]:
            self.running.discard(deadline)
            deadline.end(TimeoutError())
        self._ticks = bool(self.running)
        if self._ticks:
            self.loop.call_later(_TICK_S, self._look)


_current: list[_Watch] = []  # of this process's event loop; tests have one loop after the other


def _watch_of(loop: asyncio.AbstractEventLoop) -> _Watch:
    if not _current or _current[0].loop is not loop:
        _current[:] = [_Watch(loop)]
    return _current[0]


_LAST_S = 1.0  # for the answers of those that are ended, and for those that have less than that anyway


async def drain(server: grpc.aio.Server, seconds: float) -> None:
    """Stop `server` within `seconds`, of which calls under way get all but the last."""
    stopping = asyncio.ensure_future(server.stop(seconds))
    end_listening()
    done, _ = await asyncio.wait([stopping], timeout=seconds - _LAST_S)
    if not done:
        end_calls()
    await stopping
