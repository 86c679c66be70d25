"""Patterns of texts in the OpenAPI document: what the services refuse of every text (`services.common.core.text`).

Characters beyond ASCII stand in them as they are: regular expressions of other languages escape them in other ways.
"""

from __future__ import annotations

from proximity.common.v1 import rules_pb2

_LINE_CONTROLS = r"\x00-\x1f\x7f-\x9f" + "\u2028\u2029\u202a-\u202e\u2066-\u2069"
LINE = f"^[^{_LINE_CONTROLS}]*$"
LINES = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
# Characters that cannot be seen: white space, controls of format and letters without a glyph.
_BLANK = (
    " \\t\\n\u00a0\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u202a-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
SECRET = r"^[^\x00]*$"  # noqa: S105 - a pattern
# Neither slash is decoded in a path: the gateway refuses them escaped, so that no proxy reads another path.
SEGMENT = rf"^[^/\\{_LINE_CONTROLS}]+$"
_IPV4 = r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_H = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    [
        f"(?:{_H}:){{7}}{_H}",
        f"(?:{_H}:){{1,7}}:",
        *(f"(?:{_H}:){{1,{7 - after}}}(?::{_H}){{1,{after}}}" for after in range(1, 7)),
        f":(?:(?::{_H}){{1,7}}|:)",
    ]
)
_PORT = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
# Of a name's labels the last one is no number, which would be an address.
_NAME = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LAST = "(?:[0-9]{0,30}[A-Za-z_]|[0-9]{1,20}-{1,10}[A-Za-z0-9_])(?:[A-Za-z0-9_-]{0,30}[A-Za-z0-9_])?"
_HOST = rf"(?:{_NAME}\.)*{_LAST}\.?"
# What no address of the web holds unescaped (RFC 3986), and what would end it where pages show it within markup. Quotes
# and backslashes stand as numbers: generators of clients write patterns into texts of other languages.
_UNSAFE = rf"{_LINE_CONTROLS}\s\x22\x27<>\x5c^`{{|}}"
_LABEL = rf"[^@{_LINE_CONTROLS}\s.\x22\x27<>\x5c,;:()]+"
# Of each format, its pattern (`services.common.rpc.interceptors.validation`). JSON Schema's own `format` would exclude the
# empty text, which removes a value, and alternatives of schemas are types of their own to generators of clients.
# Of 8 characters at least one is no digit; which passwords are common, no pattern can state.
_NEW_PASSWORD = "|".join(
    [
        *(rf"[^\x00]{{{before}}}[^\x000-9][^\x00]{{{7 - before},}}" for before in range(7)),
        r"[^\x00]{7,}[^\x000-9][^\x00]*",
    ]
)
# What a new password must not be: less than 20 characters of which at most two differ.
MONOTONOUS = {"type": "string", "pattern": r"^(.)\1*(?:(.)(?:\1|\2)*)?$", "maxLength": 19}
FORMATS: dict[str, str] = {
    "email": rf"[^@{_LINE_CONTROLS}\s\x22<>\x5c,;:()]+@{_LABEL}(?:\.{_LABEL})+",
    "uri": rf"https?://[^/?#{_UNSAFE}]+[^{_UNSAFE}]*",
    "ip": f"{_IPV4}|{_IPV6}",
    "cidr": rf"{_IPV4}/(?:3[0-2]|[12]?[0-9])|(?:{_IPV6})/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])",
    "source_location": rf"(?:/|https://|git\+https://)[^{_LINE_CONTROLS}\s]+",
    "new_password": _NEW_PASSWORD,
    "visible": f"[^{_LINE_CONTROLS}]*[^{_LINE_CONTROLS}{_BLANK}][^{_LINE_CONTROLS}]*",
    "password": f"[^{_LINE_CONTROLS}]*",
    "private_key": r"\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^\x00]*",
    "address": f"{_IPV4}|{_IPV6}|{_HOST}",
    "ssh_address": rf"\[(?:{_IPV6})\](?::{_PORT})?|{_IPV6}|(?:{_IPV4}|{_HOST})(?::{_PORT})?",
}


def choose_pattern(rules: rules_pb2.Rules, *, is_needed: bool = False) -> str:
    """Return the pattern of a text whose rules name none; where it is not required, the empty text is no value."""
    if format_ := rules.format or rules.entry_format:
        return f"^(?:{FORMATS[format_]})$" if is_needed else f"^(?:{FORMATS[format_]})?$"
    if rules.secret:
        return SECRET
    text = LINES if rules.lines else LINE
    # A text that must be there has a character that can be seen.
    characters = text[1:-2]
    return f"^{characters}*{characters[:-1]}{_BLANK}]{characters}*$" if is_needed else text


def choose_key_pattern(rules: rules_pb2.Rules) -> str:
    """Return the pattern of the names of a map's entries."""
    return f"^(?:{rules.key_pattern})$" if rules.key_pattern else LINE
