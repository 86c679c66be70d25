"""Forms of generated secrets: length and alphabet, from the example or the description of a secret."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

_LENGTH = 32  # characters: 190 bits, and what most keys of ciphers must have
_LONG = 64  # characters, where a name says that the app needs more
_LONGEST = 128  # characters: 512 bits in hexadecimal digits
_LONG_NAMES = re.compile(r"SECRET_KEY_BASE", re.IGNORECASE)  # Rails and Phoenix refuse less than 64
# Documentation names this command for keys that must have a length and an encoding.
_COMMAND = re.compile(r"openssl rand\s{1,3}-(hex|base64)\s{1,3}([0-9]{1,3})")
_PREFIX = re.compile(r"base64:")
_REFERENCE = re.compile(r"(base64:)?\$\{?([A-Za-z_]\w*)\}?", re.ASCII)
# A digit and a letter are required: a word such as `deadbeef…` or a number is no key.
_HEX = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{16,128}")
# Padding is required: without it every long word would be base64.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{22,170}={1,2}")
_KEY_LENGTHS = frozenset({16, 24, 48, 64, 128})  # bytes, of ciphers; 32 is the default above


def choose_form(name: str, *, example: str = "", description: str = "") -> dict[str, Any]:
    """Return the `generate` of a secret.

    Args:
        name: of its variable.
        example: the value that it replaces; empty where there is none.
        description: of its collection, perhaps with a command that generates one.
    """
    if command := _COMMAND.search(description):
        return _read_command(command[1], int(command[2]))
    if _HEX.fullmatch(example):
        return {"length": len(example), "alphabet": "hex"}
    if _BASE64.fullmatch(example) and (size := _count_bytes(example)):
        return {"length": size, "alphabet": "base64"}
    is_mixed = any(map(str.isdigit, example)) and any(map(str.isalpha, example))
    if len(example) in _KEY_LENGTHS and is_mixed:
        return {"length": len(example)}
    return {"length": _LONG if _LONG_NAMES.search(name) else _LENGTH}


def fit_forms(inputs: Iterable[dict[str, Any]], services: Mapping[str, Any]) -> None:
    """Fit generated inputs to the variables that use them: `base64:…`, or long enough."""
    rules = {record["name"]: record["generate"] for record in inputs if "generate" in record}
    for service in services.values():
        for key, value in (service.get("environment") or {}).items():
            match = _REFERENCE.fullmatch(str(value))
            rule = rules.get(match[2], {}) if match else {}
            if match is None or not rule or "alphabet" in rule:
                continue
            if match[1]:
                rule |= {"length": _LENGTH, "alphabet": "base64"}
            elif _LONG_NAMES.search(key):
                rule["length"] = max(rule["length"], _LONG)


def names_command(description: str) -> bool:
    """Return whether a description names the command that makes a secret, so that it can be generated."""
    return bool(_COMMAND.search(description))


def split_prefix(value: str) -> tuple[str, str]:
    """Split the encoding of a secret (`base64:`) from the secret itself."""
    match = _PREFIX.match(value)
    return (match[0], value[match.end() :]) if match else ("", value)


def _read_command(encoding: str, size: int) -> dict[str, Any]:
    length = min(max(size * 2 if encoding == "hex" else size, 8), _LONGEST)
    return {"length": length, "alphabet": encoding}


def _count_bytes(text: str) -> int:
    """Return the number of bytes that a text in base64 encodes, 0 where it is no base64 or of no usual length."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        return 0
    return size if 16 <= size <= _LONGEST else 0
