"""RPCs that will go away: what their answers and the document say of it. The policy is docs/versioning.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from gateway.surface import Method

NOTICE_DAYS = 180


def render_ageing(method: Method) -> list[dict[str, Any]]:
    """Return the headers to add to answers: Deprecation (RFC 9745) and Sunset (RFC 8594), as they apply."""
    headers = {}
    if method.deprecated:
        headers["deprecation"] = f"@{int(_parse_day(method.deprecated).timestamp())}"
    if method.sunset:
        headers["sunset"] = format_datetime(_parse_day(method.sunset), usegmt=True)
    return [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in headers.items()
    ]


def describe_ageing(method: Method) -> str:
    """Return a sentence for the document; empty for what stays."""
    if not method.deprecated:
        return ""
    end = f"; it may be gone from {method.sunset}" if method.sunset else ""
    return f"Deprecated since {method.deprecated}{end}."


def check_ageing(method: Method) -> Iterator[str]:
    """Yield what is wrong with the days, a sentence each."""
    days = {}
    for name, text in (("deprecated", method.deprecated), ("sunset", method.sunset)):
        try:
            days[name] = date.fromisoformat(text) if text else None
        except ValueError:
            yield f"{name} {text!r} is not a day as YYYY-MM-DD"
            return
    deprecated, sunset = days["deprecated"], days["sunset"]
    if sunset and not deprecated:
        yield "has a sunset and is not deprecated"
    elif sunset and deprecated and (sunset - deprecated).days < NOTICE_DAYS:
        yield f"goes {(sunset - deprecated).days} days after its deprecation; {NOTICE_DAYS} are promised"


def _parse_day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)
