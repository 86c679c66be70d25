"""Values of google.protobuf types that the wire can carry and JSON cannot: gRPC clients may send them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

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
