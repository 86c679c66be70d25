"""Requests off the wire: decoded, and checked by the rules of their fields (`(proximity.common.v1.rules)` in the protos).

Rules are compiled once per message type. What cannot be read is the caller's fault, and the refusal names its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import empty_pb2, message_factory, unknown_fields
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from proximity.common.v1 import rules_pb2

from services.common.core.errors import InvalidError, Violation, invalid_field
from services.common.core.text import (
    FORMATS,
    find_control,
    find_control_in_lines,
    is_blank,
    is_valid_format,
    make_printable,
    refuse_choice,
    show_number,
)
from services.common.rpc.interceptors.json_requests import UnreadableJsonError
from services.common.rpc.interceptors.json_values import CHECKS, find_fault

Check = Callable[[Message, str, list[Violation]], None]


def check_message(message: Message, *, prefix: str = "") -> None:
    """Check a request, or the part of one that is at `prefix`, against the rules on its fields.

    Raises:
        InvalidError: with a violation for every fault, each naming field and value; secrets are not shown.
    """
    violations: list[Violation] = []
    for check in _checks_of(message.DESCRIPTOR):
        check(message, prefix, violations)
    if violations:
        first = violations[0]
        raise InvalidError(f"{first.field}: {first.description}", violations=violations)


@cache
def _checks_of(descriptor: Descriptor) -> tuple[Check, ...]:
    checks: list[Check] = []
    for field in descriptor.fields:
        options = field.GetOptions()
        if options.HasExtension(rules_pb2.rules):
            checks.append(_compile(field, options.Extensions[rules_pb2.rules]))
        # Texts without rules are checked for control characters all the same.
        elif field.type == FieldDescriptor.TYPE_STRING or _is_map(field):
            checks.append(_compile(field, rules_pb2.Rules()))
        if field.message_type is not None and field.message_type.full_name in CHECKS:
            checks.append(_compile_well_known(field))
    refused = descriptor.GetOptions().Extensions[rules_pb2.message_rules].refused
    checks.extend(_compile_combination(rule) for rule in refused)
    return tuple(checks)


def _compile_combination(rule: rules_pb2.Combination) -> Check:
    given, missing, fault = tuple(rule.set), tuple(rule.unset), Violation(rule.field, rule.text)

    def check(message: Message, prefix: str, violations: list[Violation]) -> None:
        is_refused = all(_is_set(message, name) for name in given)
        if is_refused and not any(_is_set(message, name) for name in missing):
            violations.append(Violation(prefix + fault.field, fault.description))

    return check


def _is_set(message: Message, name: str) -> bool:
    """Whether a field is present, and not empty if it is a text or a list."""
    value = getattr(message, name)
    if message.DESCRIPTOR.fields_by_name[name].has_presence:
        return message.HasField(name) and value != ""
    return bool(value)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _compile_well_known(field: FieldDescriptor) -> Check:
    def check(message: Message, prefix: str, violations: list[Violation]) -> None:
        value = getattr(message, field.name)
        found = map(find_fault, value if field.is_repeated else [value])
        violations.extend(Violation(prefix + field.name, fault) for fault in found if fault)

    return check


def _compile(field: FieldDescriptor, rules: rules_pb2.Rules) -> Check:
    value_checks = tuple(_value_checks(rules, is_text=field.type == FieldDescriptor.TYPE_STRING))
    if field.is_repeated:
        return _compile_repeated(field, rules, value_checks=value_checks)
    # Read once: each access to a descriptor or to the rules makes an object, and this runs for every field of a request.
    name, has_presence = field.name, field.has_presence
    is_required, null_refused = rules.required, rules.null_refused
    # Without presence a number that was left out is 0.
    is_needed_number = rules.min > 0 and not has_presence

    def check(message: Message, prefix: str, violations: list[Violation]) -> None:
        value = getattr(message, name)
        if has_presence and not message.HasField(name):
            if is_required:
                violations.append(Violation(prefix + name, "is required"))
        elif (is_required and value in ("", b"")) or (is_needed_number and value == 0):
            violations.append(Violation(prefix + name, "is required"))
        elif null_refused and value == "":
            violations.append(Violation(prefix + name, f"must not be empty; {null_refused}"))
        elif has_presence or is_required or value not in ("", b""):
            _apply(value_checks, value, path=prefix + name, violations=violations)

    return check


def _compile_repeated(
    field: FieldDescriptor, rules: rules_pb2.Rules, *, value_checks: tuple[Callable[[Any], str], ...]
) -> Check:
    name, is_map, is_scalar = field.name, _is_map(field), field.message_type is None
    max_items = rules.max_items if rules.HasField("max_items") else None

    def check(message: Message, prefix: str, violations: list[Violation]) -> None:
        values, path = getattr(message, name), prefix + name
        if max_items is not None and len(values) > max_items:
            fault = f"has {len(values)} entries; at most {max_items} are allowed"
            violations.append(Violation(path, fault))
        elif is_map:
            violations.extend(_list_odd_entries(values, path))
        elif is_scalar:
            for index, element in enumerate(values):
                _apply(value_checks, element, path=f"{path}[{index}]", violations=violations)

    return check


def _list_odd_entries(entries: Mapping[Any, Any], path: str) -> Iterator[Violation]:
    """Entries of a map whose name has several lines, or whose value has controls; either may begin another entry."""
    for key, value in entries.items():
        found = find_control(str(key)) or (find_control_in_lines(value) if isinstance(value, str) else "")
        if found:
            yield Violation(make_printable(f"{path}.{key}"), _describe(found))


def _describe(found: str) -> str:
    return f"must not contain the control character {found}"


def _apply(
    checks: tuple[Callable[[Any], str], ...], value: Any, *, path: str, violations: list[Violation]
) -> None:
    for check in checks:
        if fault := check(value):
            violations.append(Violation(path, fault))
            return


def _value_checks(rules: rules_pb2.Rules, *, is_text: bool) -> list[Callable[[Any], str]]:
    def show(value: object) -> str:
        return (
            "the value" if rules.secret else repr(value if len(str(value)) <= 80 else f"{str(value)[:80]}…")
        )

    checks: list[Callable[[Any], str]] = []
    if is_text:
        checks.append(_choose_text_check(rules))
    if rules.HasField("min"):
        low = rules.min
        checks.append(lambda value: f"{show(value)} is less than {show_number(low)}" if value < low else "")
    if rules.HasField("max"):
        high = rules.max
        checks.append(lambda value: f"{show(value)} is more than {show_number(high)}" if value > high else "")
    if rules.HasField("min_len"):
        least = rules.min_len
        checks.append(
            lambda value: f"{show(value)} is shorter than {least} characters" if len(value) < least else ""
        )
    if rules.HasField("max_len"):
        most = rules.max_len
        checks.append(
            lambda value: (
                f"has {len(value)} characters; at most {most} are allowed" if len(value) > most else ""
            )
        )
    if getattr(rules, "in"):
        allowed = tuple(getattr(rules, "in"))
        checks.append(
            lambda value: "" if value in allowed else f"{show(value)} {refuse_choice(str(value), allowed)}"
        )
    if rules.pattern:
        pattern, words = re.compile(rules.pattern), rules.pattern_text
        checks.append(lambda value: "" if pattern.fullmatch(value) else f"{show(value)} {words}")
    if rules.format in FORMATS:
        name = rules.format
        checks.append(
            lambda value: (
                "" if not value or is_valid_format(name, value) else f"{show(value)} is not a valid {name}"
            )
        )
    return checks


def _choose_text_check(rules: rules_pb2.Rules) -> Callable[[str], str]:
    """Return a check of the characters that a text may not contain, and of blank texts."""
    if rules.secret:
        return lambda value: _describe("U+0000") if "\x00" in value else ""
    find = find_control_in_lines if rules.lines else find_control
    is_needed = rules.required or rules.min_len > 0

    def check(value: str) -> str:
        if found := find(value):
            return _describe(found)
        return "must not be blank" if is_needed and value and is_blank(value) else ""

    return check


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
