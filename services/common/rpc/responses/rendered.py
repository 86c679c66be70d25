"""Answers as bytes: messages, or the JSON of a message for REST, rendered once and cached.

An array of REST is one answer, which is there whole or not at all: of a stream the gateway has seen the beginning when its
service is lost, and cannot ask another replica any more. Times and operations, which several services show, are here too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar, overload

from google.api import annotations_pb2, httpbody_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.common.v1 import access_pb2, operation_pb2

from services.common.core.telemetry.tracing import trace_id_of
from services.common.operations.model import Operation
from services.common.rpc.responses.json_printer import print_message

M = TypeVar("M", bound=Message)

# Set by a gateway that knows which RPCs are printed; for calls over REST, it passes JSON on as it is.
PRINTED_HEADER = "x-proximity-printed"
_OVER_REST = "x-envoy-original-path"
_CONTENT_TYPE = b"\x0a\x10application/json"  # field 1 of google.api.HttpBody
_DATA_TAG = b"\x12"  # field 2


RAW_BODY = "google.api.HttpBody"
_TURN = "its turn among the operations of its node, storage and user"


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


def render_list(rest: Message, field: str, *, pieces: Sequence[bytes], form: Form) -> bytes:
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


def is_endless(method: MethodDescriptor) -> bool:
    """Whether an RPC streams until the client or server ends it; a stream that REST prints as an array is finite."""
    has_path = method.GetOptions().HasExtension(annotations_pb2.http)
    return bool(method.server_streaming and (method.output_type.full_name == RAW_BODY or not has_path))


def is_array(method: MethodDescriptor) -> bool:
    """Whether REST shows the stream of an RPC as an array."""
    return bool(method.server_streaming and not is_endless(method))


def gather(
    handler: Callable[[Any, Any], AsyncIterator[Message | Rendered[Any]]],
) -> Callable[[Any, Any], Awaitable[Rendered[Any]]]:
    """A handler of the whole array, printed, from one of its stream."""

    async def gathered(request: Any, call: Any) -> Rendered[Any]:
        items = [_print(item) async for item in handler(request, call)]
        return Rendered(httpbody_pb2.HttpBody, b"[%b]" % b",".join(items))

    return gathered


def _print(item: Message | Rendered[Any]) -> bytes:
    return item.data if isinstance(item, Rendered) else render(item, Form.JSON)


K = TypeVar("K", bound=Hashable)
MIB = 1024 * 1024  # bytes


class VersionedLruCache(Generic[K]):
    """LRU cache of rendered bytes; an entry is valid only for the version it was stored with.

    The version is read from the source for each request, so replicas answer alike and nothing has to be invalidated.

    Args:
        limit: bytes of the values together.
    """

    def __init__(self, limit: int = 4 * MIB) -> None:
        self._limit = limit
        self._size = 0
        self._entries: OrderedDict[K, tuple[object, bytes]] = OrderedDict()

    def find(self, key: K, version: object) -> bytes | None:
        """Return the value that was stored for this version, or None."""
        entry = self._entries.get(key)
        if entry is None or entry[0] != version:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def keep(self, key: K, version: object, *, value: bytes) -> bytes:
        """Store a value in place of the key's former one, evict the least recently used ones, and return it."""
        former = self._entries.pop(key, None)
        self._size += len(value) - (len(former[1]) if former else 0)
        self._entries[key] = (version, value)
        while self._size > self._limit:
            self._size -= len(self._entries.popitem(last=False)[1][1])
        return value


@overload
def render_time(moment: datetime) -> Timestamp: ...
@overload
def render_time(moment: None) -> None: ...
@overload
def render_time(moment: datetime | None) -> Timestamp | None: ...
def render_time(moment: datetime | None) -> Timestamp | None:
    """A time, or nothing."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def render_operation(operation: Operation) -> operation_pb2.Operation:
    """An operation with its steps; one that was given up shows as failed."""
    step = operation.step
    message = operation_pb2.Operation(
        id=operation.id,
        app_id=operation.subject,
        kind=operation.kind,
        status="failed" if operation.status == "dead" else operation.status,
        progress=operation.progress,
        step=step.name if step else None,
        step_description=step.description if step else None,
        step_index=operation.step_index,
        step_count=operation.step_count,
        attempt=operation.attempt,
        error=operation.error or None,
        waiting_for=operation.waiting_for or (_TURN if operation.status == "queued" else None),
        worker=operation.worker or None,
        trace_id=trace_id_of(operation.traceparent) or None,
        cancel_requested=operation.cancel_requested,
        requested_by=operation.requested_by,
        created_at=render_time(operation.created_at),
        updated_at=render_time(operation.updated_at),
        started_at=render_time(operation.started_at),
        finished_at=render_time(operation.finished_at),
    )
    for item in operation.steps:
        message.steps.add(
            name=item.name,
            description=item.description,
            status=item.status,
            attempts=item.attempts,
            message=item.message or None,
            upids=item.upids,
            started_at=render_time(item.started_at),
            finished_at=render_time(item.finished_at),
        )
    return message
