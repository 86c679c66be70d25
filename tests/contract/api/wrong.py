"""Values that a field must refuse, from its type and the rules that stand on it: a new field is covered as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway.schemas import get_rules

INTEGERS = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32}
NUMBERS = INTEGERS | {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
MALFORMED = {
    "email": ["nobody", "a b@example.org", "@example.org"],
    "uri": ["ftp://example.org/a", "example", "javascript:alert(1)"],
    "ip": ["300.1.1.1", "10.0.0", "fe80:::1", "localhost"],
    "cidr": ["10.0.0.0/99", "10.0.0.1", "net/8", "::1/129"],
}
UNFIT = ["!!!", "a b c", "ÄÖÜ", "-_-", "..", "a/b/c", "A\nB", "x" * 40]
TIMESTAMP = "google.protobuf.Timestamp"
STRUCT = "google.protobuf.Struct"
ANYTHING = "google.protobuf.Value"


def list_wrong_values(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    """Yield what is wrong, in words, and a JSON value that is."""
    if is_map(field):
        yield from _list_wrong_maps(field)
    elif field.is_repeated:
        yield from _list_wrong_lists(field)
    elif field.message_type is not None:
        yield from _list_wrong_messages(field)
    else:
        yield "an object", {"a": 1}
        yield from _list_wrong_scalars(field)


def list_wrong_texts(field: FieldDescriptor) -> Iterator[tuple[str, str]]:
    """Yield what is wrong and a value, as a path or a query can carry it."""
    if field.message_type is not None or field.is_repeated:
        return
    for why, value in _list_wrong_scalars(field):
        if isinstance(value, str) and not {"\0", "\x1b"} & set(value) and value:
            yield why, value
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and field.type in NUMBERS:
            yield why, str(value)


def is_map(field: FieldDescriptor) -> bool:
    """Whether JSON shows the field as an object of names and values."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _list_wrong_maps(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    yield "a list", ["a"]
    yield "a text", "a"
    yield "a number for a value", {"A": 5}
    yield "an object for a value", {"A": {}}
    yield "an object with something in it for a value", {"A": {"b": 1}}
    yield "a list for a value", {"A": ["b"]}
    if most := get_rules(field).max_items:
        yield "too many entries", {f"A{number}": "b" for number in range(most + 1)}


def _list_wrong_lists(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    yield "an object", {"a": 1}
    if most := get_rules(field).max_items:
        yield "too many elements", ["read"] * (most + 1)
    for why, value in _list_wrong_scalars(field):
        yield f"an element that is {why}", [value]


def _list_wrong_messages(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    assert field.message_type is not None
    if field.message_type.full_name == ANYTHING:
        return
    yield "a number", 5
    if field.message_type.full_name == TIMESTAMP:
        yield "no time", "yesterday"
        yield "no day", "2026-02-31T00:00:00Z"
    if field.message_type.full_name == STRUCT:
        yield "a text", "a"


def _list_wrong_scalars(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    rules = get_rules(field)
    if field.type == FieldDescriptor.TYPE_BOOL:
        yield "no truth", "maybe"
        yield "a number", 5
    elif field.type in NUMBERS:
        yield "a text", "many"
        if field.type in INTEGERS:
            yield "a fraction", 1.5
            yield "too wide", 2**40
        if rules.HasField("min"):
            yield "too small", int(rules.min) - 1
        if rules.HasField("max"):
            yield "too large", int(rules.max) + 1
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield "a number", 5
        yield "with a NUL", "a\0b"
        if not rules.secret:
            yield "with an escape", "a\x1bb"
        yield from _list_wrong_strings(field)


def _list_wrong_strings(field: FieldDescriptor) -> Iterator[tuple[str, str]]:
    rules = get_rules(field)
    allowed = list(getattr(rules, "in"))
    if rules.required or (rules.min_len and not field.is_repeated and field.has_presence):
        yield "empty", ""
    if rules.min_len > 1:
        yield "too short", "a" * (rules.min_len - 1)
    if rules.HasField("max_len"):
        yield "too long", "a" * (rules.max_len + 1)
    if allowed:
        yield "not one of them", "nonsense"
        yield "in another case", allowed[0].upper()
    if rules.pattern:
        yield from (("unfit", each) for each in UNFIT if not re.fullmatch(rules.pattern, each))
    yield from ((f"no {rules.format}", each) for each in MALFORMED.get(rules.format, ()))
