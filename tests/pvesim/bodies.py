"""Request bodies and answers, as Proxmox's HTTP server reads and writes them."""

import json
from typing import Any
from urllib.parse import parse_qsl

from tests.pvesim.model.errors import ApiError
from tests.pvesim.model.router import Page

WHERE = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934."
COMPLAINTS = {
    "Expecting property name": "'\"' expected",
    "Expecting ',' delimiter": ", or } expected while parsing object/hash",
    "Expecting ':' delimiter": "':' expected",
    "Extra data": "garbage after JSON object",
    "Unterminated string": "unexpected end of string while parsing JSON string",
}


class RawError(Exception):
    """An answer from below the API: its body is text, not JSON."""

    def __init__(self, status: int, reason: str, body: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.body = body


def parse_form(text: str) -> dict[str, Any]:
    """A query string or form; a name given twice is a list."""
    found: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if key in found:
            held = found[key] if isinstance(found[key], list) else [found[key]]
            found[key] = [*held, value]
        else:
            found[key] = value
    return found


def parse_body(content_type: str, body: bytes) -> dict[str, Any]:
    """The parameters of a POST or PUT.

    Raises:
        RawError: JSON that cannot be read, or another kind of content.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return {}
    if kind in {"", "application/x-www-form-urlencoded"}:
        return parse_form(body.decode("utf-8", "replace"))
    if kind == "application/json":
        return _parse_json(body.decode("utf-8", "replace"))
    text = f"upload 'Content-Type '{content_type}' not implemented"
    raise RawError(506, text, text)


def _parse_json(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        default = "malformed JSON string, neither tag, array, object, number, string or atom"
        complaint = next(
            (words for start, words in COMPLAINTS.items() if error.msg.startswith(start)), default
        )
        rest = text[error.pos :][:20] or "(end of string)"
        reason = f'{complaint}, at character offset {error.pos} (before "{rest.rstrip("}")}") {WHERE}'
        raise RawError(500, reason, f"{reason}\n") from error
    if not isinstance(parsed, dict):
        raise ApiError(500, "Not a HASH reference")
    return {key: "" if value is None else value for key, value in parsed.items()}


def render_result(result: Any) -> bytes:
    """The JSON of a success; `total` only where there is something to count."""
    if isinstance(result, Page):
        body = {"data": result.items, **({"total": result.total} if result.total else {})}
    else:
        body = {"data": result}
    return json.dumps(body, ensure_ascii=False).encode()
