"""Answers that are kept as the bytes of the wire."""

from __future__ import annotations

from typing import Generic, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


class Rendered(Generic[M]):
    """A message that was serialized before; a handler may return it in its message's place.

    Args:
        kind: the class of the message.
        data: the message.
    """

    __slots__ = ("data", "kind")

    def __init__(self, kind: type[M], data: bytes) -> None:
        self.kind = kind
        self.data = data

    @property
    def message(self) -> M:
        """The message."""
        return self.kind.FromString(self.data)


def render(message: M) -> Rendered[M]:
    """Serialize a message."""
    return Rendered(type(message), message.SerializeToString())
