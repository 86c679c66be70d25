"""Messages as JSON, as the gateway's transcoder prints them: for answers that are printed once and cached.

Names are those of the protos, fields without presence are always there, 64-bit integers are texts and whole doubles
have no fraction. The transcoder takes 700 µs of CPU for a page of 20 apps and each time anew.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from functools import cache
from json.encoder import encode_basestring
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_Print = Callable[[Any], str]
_quote: _Print = encode_basestring


def print_message(message: Message, *, given: Mapping[str, str] | None = None) -> str:
    """A message as JSON; `given` has the text of fields that are printed already, by name.

    Raises:
        TypeError: it has a field of a kind that answers of ours do not use (google.protobuf.Any).
    """
    return _printer_of(message.DESCRIPTOR)(message, given or {})


@cache
def _printer_of(descriptor: Descriptor) -> Callable[[Any, Mapping[str, str]], str]:
    known = _WELL_KNOWN.get(descriptor.full_name)
    if known is not None:
        return lambda message, _: known(message)
    if descriptor.full_name == "google.protobuf.Any":
        raise TypeError("google.protobuf.Any cannot be printed")
    fields = [(field.name, f'"{field.name}":', *_compile_field(field)) for field in descriptor.fields]

    def print_fields(message: Any, given: Mapping[str, str]) -> str:
        parts: list[str] = []
        for name, key, has_presence, render in fields:
            if name in given:
                parts.append(key + given[name])
            elif not has_presence or message.HasField(name):
                parts.append(key + render(getattr(message, name)))
        return "{" + ",".join(parts) + "}"

    return print_fields


def _compile_field(field: FieldDescriptor) -> tuple[bool, _Print]:
    """Whether it may be left out, and how it is printed."""
    nested = field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        return False, _compile_map(nested)
    render = _compile_value(field)
    if field.is_repeated:
        return False, lambda values: "[" + ",".join([render(value) for value in values]) + "]"
    return field.has_presence, render


def _compile_map(entry: Descriptor) -> _Print:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    render = _compile_value(value)
    is_text = key.type == FieldDescriptor.TYPE_STRING
    is_bool = key.type == FieldDescriptor.TYPE_BOOL

    def name(key: Any) -> str:
        return _quote(key) if is_text else f'"{str(key).lower() if is_bool else key}"'

    def print_map(values: Any) -> str:
        return "{" + ",".join([f"{name(key)}:{render(values[key])}" for key in values]) + "}"

    return print_map


def _compile_value(field: FieldDescriptor) -> _Print:
    if field.message_type is not None:
        described = field.message_type
        # Looked up when it is printed first: messages may hold themselves.
        return lambda message: _printer_of(described)(message, {})
    if field.enum_type is not None:
        names = {value.number: f'"{value.name}"' for value in field.enum_type.values}
        return lambda number: names.get(number, str(number))
    return _SCALARS[field.cpp_type] if field.type != FieldDescriptor.TYPE_BYTES else _print_bytes


def _print_bytes(value: bytes) -> str:
    return f'"{base64.b64encode(value).decode()}"'


def _print_bool(value: bool) -> str:
    return "true" if value else "false"


def _print_double(value: float) -> str:
    # Beyond 2**53 a double no longer names each whole number.
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if math.isfinite(value):
        return repr(value)
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


# JavaScript's numbers lose digits from 2**53 on, hence the text (proto3's JSON mapping).
def _print_wide(value: int) -> str:
    return f'"{value}"'


_SCALARS: dict[int, _Print] = {
    FieldDescriptor.CPPTYPE_STRING: _quote,
    FieldDescriptor.CPPTYPE_BOOL: _print_bool,
    FieldDescriptor.CPPTYPE_INT32: str,
    FieldDescriptor.CPPTYPE_UINT32: str,
    FieldDescriptor.CPPTYPE_INT64: _print_wide,
    FieldDescriptor.CPPTYPE_UINT64: _print_wide,
    FieldDescriptor.CPPTYPE_DOUBLE: _print_double,
    FieldDescriptor.CPPTYPE_FLOAT: _print_double,
}


def _print_struct(value: Any) -> str:
    return (
        "{" + ",".join([f"{_quote(name)}:{_print_value(each)}" for name, each in value.fields.items()]) + "}"
    )


def _print_value(value: Any) -> str:
    kind = value.WhichOneof("kind")
    return "null" if kind is None else _KINDS[kind](getattr(value, kind))


def _print_list(value: Any) -> str:
    return "[" + ",".join([_print_value(each) for each in value.values]) + "]"


_KINDS: dict[str, _Print] = {
    "null_value": lambda _: "null",
    "number_value": _print_double,
    "string_value": _quote,
    "bool_value": _print_bool,
    "struct_value": _print_struct,
    "list_value": _print_list,
}

_WELL_KNOWN: dict[str, _Print] = {
    "google.protobuf.Timestamp": lambda value: f'"{value.ToJsonString()}"',
    "google.protobuf.Duration": lambda value: f'"{value.ToJsonString()}"',
    "google.protobuf.Struct": _print_struct,
    "google.protobuf.Value": _print_value,
    "google.protobuf.ListValue": _print_list,
}
