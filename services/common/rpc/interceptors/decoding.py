"""Requests off the wire. What cannot be read is the caller's fault, and says which field it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import empty_pb2, message_factory, unknown_fields
from google.protobuf.message import DecodeError, Message

from services.common.core.errors import InvalidError, invalid_field
from services.common.rpc.interceptors.json_requests import UnreadableJsonError
from services.common.rpc.interceptors.validation import check_message

_LENGTH_DELIMITED = 2  # wire type of the protobuf encoding


@dataclass(frozen=True)
class UndecodableRequest:
    """A request that is not one; `field` is the one at fault, where it is known."""

    field: str

    def as_error(self) -> InvalidError:
        """The refusal. Values are not repeated, for they may be secret."""
        if self.field:
            return invalid_field(self.field, "holds a value of another type")
        return InvalidError("the request cannot be read: a value is of another type than its field")


# A request as it was read off the wire.
Given = Message | UndecodableRequest | UnreadableJsonError


def check_request(given: Given) -> Message:
    """The request, if it could be read and satisfies the rules on its fields.

    Raises:
        InvalidError: it does not; its violations say why.
    """
    if isinstance(given, UnreadableJsonError):
        raise given
    if isinstance(given, UndecodableRequest):
        raise given.as_error()
    check_message(given)
    return given


def read_request(kind: type[Message], data: bytes) -> Message | UndecodableRequest:
    """Parse a typed request."""
    try:
        return kind.FromString(data)
    except DecodeError:
        return UndecodableRequest(_find_bad_field(kind.DESCRIPTOR, data))


def _find_bad_field(descriptor: Any, data: bytes) -> str:
    try:
        parts: Any = unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(data))
    except DecodeError:
        return ""
    for part in parts:
        field = descriptor.fields_by_number.get(part.field_number)
        if field is None or field.message_type is None or part.wire_type != _LENGTH_DELIMITED:
            continue
        try:
            message_factory.GetMessageClass(field.message_type).FromString(part.data)
        except DecodeError:
            return str(field.name)
    return ""
