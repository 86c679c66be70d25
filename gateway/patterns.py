"""Patterns of texts in the OpenAPI document: what the services refuse of every text (`services.common.core.text`).

Characters beyond ASCII stand in them as they are: regular expressions of other languages escape them in other ways.
"""

from __future__ import annotations

from proximity.common.v1 import rules_pb2

_LINE_CONTROLS = r"\x00-\x1f\x7f-\x9f" + "\u2028\u2029\u202a-\u202e\u2066-\u2069"
LINE = f"^[^{_LINE_CONTROLS}]*$"
LINES = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
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
# Of formats that JSON Schema does not know: the same as its own, or a pattern.
FORMATS: dict[str, list[dict[str, str]]] = {
    "ip": [{"format": "ipv4"}, {"format": "ipv6"}],
    "cidr": [
        {"format": "cidr", "pattern": rf"^{_IPV4}/(?:3[0-2]|[12]?[0-9])$"},
        {"format": "cidr", "pattern": rf"^(?:{_IPV6})/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])$"},
    ],
}


def choose_pattern(rules: rules_pb2.Rules) -> str:
    """Return the pattern of a text whose rules name none."""
    if rules.secret:
        return SECRET
    return LINES if rules.lines else LINE
