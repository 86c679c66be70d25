"""Checks and generation of the values of an item's inputs."""

from __future__ import annotations

import base64
import re
import secrets
import string
import zoneinfo
from functools import cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

from services.catalog.domain.entities import Generate, Input, InputType
from services.catalog.domain.item_files.schema import matches_pattern

MAX_VALUE_LENGTH = 8192  # characters; a certificate chain in PEM fits
# Control characters except tab and line feed, half surrogates, and the placeholders of the renderer.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\ud800-\udfff\ue000\ue001]")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[A-Za-z0-9.-]{1,255}")
# Limited in length, so that every reader of YAML and JSON takes the same number.
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_BOOLEANS = frozenset({"true", "false"})
_LETTERS = (
    string.ascii_letters + string.digits
)  # of generated secrets: no shell, URL or YAML reads any of them as syntax


def generate_value(rule: Generate) -> str:
    """Make a random value: `length` letters and digits, hex digits, or bytes encoded in base64."""
    match rule.alphabet:
        case "hex":
            return secrets.token_hex((rule.length + 1) // 2)[: rule.length]
        case "base64":
            return base64.b64encode(secrets.token_bytes(rule.length)).decode()
    return "".join(secrets.choice(_LETTERS) for _ in range(rule.length))


def find_value_fault(item_input: Input, value: str) -> str | None:
    """Return why a value does not fit an input, or None; the message never repeats a secret."""
    if fault := find_text_fault(value):
        return fault
    if not value:
        return "must not be empty" if item_input.required else None
    fault = _find_type_fault(item_input, value)
    if fault is None and item_input.pattern and not matches_pattern(item_input.pattern, value):
        fault = f"must match {item_input.pattern}"
    return fault


def find_text_fault(value: str) -> str | None:
    """Return why a text cannot be the value of any environment variable, or None."""
    if len(value) > MAX_VALUE_LENGTH:
        return f"is longer than {MAX_VALUE_LENGTH} characters"
    return "contains control characters" if _CONTROL.search(value) else None


def _find_type_fault(item_input: Input, value: str) -> str | None:
    match item_input.type:
        case InputType.NUMBER:
            return _find_number_fault(item_input, value)
        case InputType.PORT:
            return (
                None
                if value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= 65_535
                else "must be a port (1-65535)"
            )
        case InputType.BOOLEAN:
            return None if value in _BOOLEANS else "must be true or false"
        case InputType.CHOICE:
            values = [choice.value for choice in item_input.choices]
            return None if value in values else f"must be one of {', '.join(values[:50])}"
        case InputType.URL:
            return None if _is_url(value) else "must be an http or https address"
        case InputType.EMAIL:
            return None if _EMAIL.fullmatch(value) else "must be an email address"
        case InputType.TIMEZONE:
            return None if value in _list_timezones() else "must be a time zone such as Europe/Berlin"
    return _find_length_fault(item_input, value)


def _find_number_fault(item_input: Input, value: str) -> str | None:
    if not _NUMBER.fullmatch(value):
        return "must be a number"
    return _find_range_fault(item_input, float(value), unit="")


def _find_length_fault(item_input: Input, value: str) -> str | None:
    return _find_range_fault(item_input, len(value), unit=" characters long")


def _find_range_fault(item_input: Input, size: float, *, unit: str) -> str | None:
    if item_input.minimum is not None and size < item_input.minimum:
        return f"must be at least {item_input.minimum:g}{unit}"
    if item_input.maximum is not None and size > item_input.maximum:
        return f"must be at most {item_input.maximum:g}{unit}"
    return None


def _is_url(value: str) -> bool:
    if re.search(r"\s", value):
        return False
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
        if host and ":" in host:
            IPv6Address(host)
    except (ValueError, AddressValueError):
        return False
    return parts.scheme in {"http", "https"} and bool(host)


@cache
def _list_timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) | {"UTC", "Etc/UTC"}
