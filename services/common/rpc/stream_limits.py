"""Streams: which go on for ever, and how many a user may hold open at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from services.common.core.errors import ExhaustedError
from services.common.rpc.call import Call

_RAW_BODY = "google.api.HttpBody"


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


def is_endless(method: MethodDescriptor) -> bool:
    """Whether an RPC streams until somebody leaves; a stream that REST prints as an array is finite."""
    has_path = method.GetOptions().HasExtension(annotations_pb2.http)
    return bool(method.server_streaming and (method.output_type.full_name == _RAW_BODY or not has_path))
