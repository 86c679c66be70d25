"""Answers as bytes, so that they can be cached: messages, or the JSON of a message for REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar

from google.api import httpbody_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from proximity.common.v1 import access_pb2

from services.common.rpc.responses.json_printer import print_message

M = TypeVar("M", bound=Message)

# Set by a gateway that knows which RPCs are printed; for calls over REST, it passes JSON on as it is.
PRINTED_HEADER = "x-proximity-printed"
_OVER_REST = "x-envoy-original-path"
_CONTENT_TYPE = b"\x0a\x10application/json"  # field 1 of google.api.HttpBody
_DATA_TAG = b"\x12"  # field 2


class Form(Enum):
    """Form of an answer: for gRPC, or printed for REST (`Call.form`)."""

    WIRE = "wire"
    JSON = "json"


class Rendered(Generic[M]):
    """A message that was rendered before; a handler may return it in its message's place.

    Args:
        kind: the class of the message.
        data: the message, in the form that the call asks for.
    """

    __slots__ = ("data", "kind")

    def __init__(self, kind: type[M], data: bytes) -> None:
        self.kind = kind
        self.data = data

    @property
    def message(self) -> M:
        """The message, where the form is the wire's."""
        return self.kind.FromString(self.data)


def render(message: Message, form: Form) -> bytes:
    """Render a message."""
    return print_message(message).encode() if form is Form.JSON else message.SerializeToString()


def render_list(rest: Message, field: str, pieces: Sequence[bytes], form: Form) -> bytes:
    """Render `rest` with the messages in `pieces`, which have the same form, as its repeated `field`."""
    if form is Form.JSON:
        given = {field: f"[{b','.join(pieces).decode()}]"}
        return print_message(rest, given=given).encode()
    tag = _encode_length(rest.DESCRIPTOR.fields_by_name[field].number << 3 | 2)
    parts = [part for piece in pieces for part in (tag, _encode_length(len(piece)), piece)]
    return b"".join((*parts, rest.SerializeToString()))


def check_printed(method: MethodDescriptor) -> None:
    """Refuse a declaration that cannot be met.

    Raises:
        TypeError: an RPC is to be printed that is a stream, or whose answers are stored for repetitions.
    """
    options = method.GetOptions().Extensions[access_pb2.rpc]
    if options.printed and (method.server_streaming or options.creates):
        raise TypeError(f"{method.full_name} cannot be printed: it is a stream, or creates something")


def choose_form(metadata: Mapping[str, str]) -> Form:
    """The form in which a printed RPC answers a request."""
    return Form.JSON if PRINTED_HEADER in metadata and _OVER_REST in metadata else Form.WIRE


def wrap_json(answer: Message | Rendered[Any]) -> Rendered[httpbody_pb2.HttpBody]:
    """Wrap JSON in a google.api.HttpBody, which the gateway passes on as it is."""
    data = answer.data if isinstance(answer, Rendered) else render(answer, Form.JSON)
    return Rendered(
        httpbody_pb2.HttpBody, b"".join((_CONTENT_TYPE, _DATA_TAG, _encode_length(len(data)), data))
    )


def serialize(answer: Message | Rendered[Any]) -> bytes:
    """The bytes of an answer."""
    return answer.data if isinstance(answer, Rendered) else answer.SerializeToString()


def _encode_length(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
