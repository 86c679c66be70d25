"""The time that a handler has."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """Ends what runs in its block after `seconds`; `asyncio.timeout` with less around it, for every request.

    Raises:
        TimeoutError: the block took longer.
    """

    __slots__ = ("_handle", "_has_passed", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_passed = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._handle = loop.call_later(self._seconds, self._end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if not self._has_passed or self._task is None:
            return
        if self._task.uncancel() <= 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end(self) -> None:
        self._has_passed = True
        if self._task is not None:
            self._task.cancel()
