"""Single JSON values, read as what a field holds; without the coercions of protobuf's JSON (`"512"`, `"true"`).

`CHECKS` find values of google.protobuf types that the wire can carry and JSON cannot: gRPC clients may send them.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from proximity.common.v1 import rules_pb2

from services.common.core.text import refuse_choice, show_number

# A message of more levels cannot be read back: protobuf stops at 100, and a level of a Struct takes three.
_MAX_DEPTH = 24

Read = Callable[[Any], Any]


class ValueFaultError(Exception):
    """A value that its field cannot hold.

    Args:
        description: what is wrong, without the value, which may be secret.
        place: where in the field: `[2]`.
    """

    def __init__(self, description: str, *, place: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.place = place


def compile_value(field: FieldDescriptor) -> Read:
    """The reader of a field's values, or of one element of a list or a map."""
    if field.message_type is not None:
        return _compile_well_known(field.message_type)
    if field.enum_type is not None:
        return partial(_read_enum, field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _read_bytes
    if field.cpp_type in _WIDTHS:
        return _compile_integer(field)
    return _SCALARS[field.cpp_type]


def _describe_number(rules: rules_pb2.Rules, noun: str) -> str:
    """`a whole number from 1 to 65535`: the bounds are those of the field, not of its type."""
    low, high = rules.HasField("min"), rules.HasField("max")
    if low and high:
        return f"{noun} from {show_number(rules.min)} to {show_number(rules.max)}"
    if low:
        return f"{noun} of at least {show_number(rules.min)}"
    return f"{noun} of at most {show_number(rules.max)}" if high else noun


_WIDTHS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def _compile_integer(field: FieldDescriptor) -> Read:
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    lowest, highest = _WIDTHS[field.cpp_type]
    wanted = f"must be {_describe_number(rules, 'a whole number')}"
    # Without presence 0 would count as left out.
    excludes_zero = not field.has_presence and rules.min > 0

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueFaultError(wanted)
        if value == 0 and excludes_zero:
            raise ValueFaultError(wanted)
        return value

    return read


def _read_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueFaultError("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueFaultError("is not valid Unicode: half of a surrogate pair is missing") from None
    return value


def _read_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueFaultError("must be true or false")
    return value


def _read_double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueFaultError("must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if math.isinf(number):
        raise ValueFaultError("is too large a number")
    return number


def _read_bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(_read_string(value), validate=True)
    except (binascii.Error, ValueError):
        raise ValueFaultError("must be base64") from None


def _read_enum(descriptor: EnumDescriptor, value: Any) -> int:
    names = descriptor.values_by_name
    if not isinstance(value, str) or value not in names:
        shown = repr(value[:100]) if isinstance(value, str) else "the value"
        raise ValueFaultError(f"{shown} {refuse_choice(str(value), list(names))}")
    return int(names[value].number)


_SCALARS: dict[int, Read] = {
    FieldDescriptor.CPPTYPE_STRING: _read_string,
    FieldDescriptor.CPPTYPE_BOOL: _read_bool,
    FieldDescriptor.CPPTYPE_DOUBLE: _read_double,
    FieldDescriptor.CPPTYPE_FLOAT: _read_double,
}

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "google.protobuf.Timestamp": ((str,), "must be a time like 2026-01-31T12:00:00Z"),
    "google.protobuf.Duration": ((str,), "must be a duration like 1.5s"),
    "google.protobuf.Struct": ((dict,), "must be an object"),
    "google.protobuf.ListValue": ((list,), "must be a list"),
    "google.protobuf.Value": ((object,), "is not valid"),
}


def _compile_well_known(descriptor: Descriptor) -> Read:
    types, wanted = _TYPES[descriptor.full_name]
    kind = message_factory.GetMessageClass(descriptor)

    def read(value: Any) -> Message:
        if not isinstance(value, types):
            raise ValueFaultError(wanted)
        given: Any = value
        _check_tree(value)
        try:
            return json_format.ParseDict(given, kind())
        except (json_format.ParseError, ValueError, OverflowError):
            raise ValueFaultError(wanted if types != (dict,) else "holds a value that is not valid") from None

    return read


def _check_tree(value: Any, levels: int = _MAX_DEPTH) -> None:
    if isinstance(value, (dict, list)):
        if levels == 0:
            raise ValueFaultError(f"is nested too deeply; {_MAX_DEPTH} levels are allowed")
        for each in value.values() if isinstance(value, dict) else value:
            _check_tree(each, levels - 1)
    elif isinstance(value, float) and not math.isfinite(value):  # JSON's 1e999
        raise ValueFaultError("holds a number that is too large")


_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800  # seconds since 1970, as the proto of Timestamp says
_NANOSECONDS = 1_000_000_000  # of a second


def _check_value(value: Any) -> str:
    kind = value.WhichOneof("kind")
    if kind == "number_value" and not math.isfinite(value.number_value):
        return f"holds {value.number_value}, which is no number of JSON"
    if kind in {"struct_value", "list_value"}:
        return find_fault(getattr(value, kind))
    return ""


def _check_struct(value: Any) -> str:
    return next(filter(None, map(_check_value, value.fields.values())), "")


def _check_list(value: Any) -> str:
    return next(filter(None, map(_check_value, value.values)), "")


def _check_timestamp(value: Any) -> str:
    is_valid = _YEAR_1 <= value.seconds < _YEAR_10000 and 0 <= value.nanos < _NANOSECONDS
    return "" if is_valid else "is not a time between the years 1 and 9999"


CHECKS: Mapping[str, Callable[[Any], str]] = {
    "google.protobuf.Struct": _check_struct,
    "google.protobuf.ListValue": _check_list,
    "google.protobuf.Value": _check_value,
    "google.protobuf.Timestamp": _check_timestamp,
}


def find_fault(message: Message) -> str:
    """Return what is wrong with a value of one of `CHECKS`, or the empty text."""
    return CHECKS[message.DESCRIPTOR.full_name](message)
