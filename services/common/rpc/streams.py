"""How many streams a user may hold open at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.common.errors import ExhaustedError
from services.common.rpc.call import Call


class TooManyStreamsError(ExhaustedError):
    """The user holds as many streams as one may."""


class Streams:
    """Counts the streams of each user in this process. Services may hold as many as they need.

    Args:
        limit: how many one user may hold.
    """

    def __init__(self, limit: int = 100) -> None:
        self._limit = limit
        self._open: Counter[int] = Counter()

    @contextmanager
    def hold(self, call: Call) -> Iterator[None]:
        """Count a stream for as long as it lasts.

        Raises:
            TooManyStreamsError: it would be one too many.
        """
        user = call.caller.user
        if user is None or call.caller.service:
            yield
            return
        if self._open[user.id] >= self._limit:
            text = f"{user.username} has {self._limit} streams open; close one first"
            raise TooManyStreamsError(text, retry_after=5)
        self._open[user.id] += 1
        try:
            yield
        finally:
            self._open[user.id] -= 1
            if not self._open[user.id]:
                del self._open[user.id]
