"""HTTP answers of a Proxmox API, read within limits. Whatever is no answer of Proxmox VE becomes `UnexpectedAnswer`."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}

# The largest answer is /cluster/resources: 500 bytes and 20 values a guest, so both limits leave room for 30,000 guests.
MAX_BYTES = 16 * 1024 * 1024
MAX_VALUES = 1_000_000  # 16 MiB of `{},` would become a gigabyte of objects
MAX_DEPTH = 32  # Proxmox nests five levels
_TOTAL_S = 60.0  # of one answer: the timeout of a single read never ends one that comes byte by byte
_CHUNK = 65_536  # bytes of one read
_REASON = 1000  # characters; a message becomes the status of a call, whose headers have a limit of some KiB
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,80})", re.IGNORECASE)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class UnexpectedAnswer(Exception):  # noqa: N818 - an answer, which refusals.py turns into an error of the domain
    """Data that is no answer of Proxmox VE; the text completes "it answers with …"."""


@dataclass(frozen=True)
class Answer:
    """An answer of Proxmox VE.

    Attributes:
        status: of HTTP, or one above 594 of Proxmox's own proxy.
        reason: why it refuses, in Proxmox's own words, also where a proxy replaced the reason phrase.
        data: the content of a successful answer.
        errors: by parameter, of a request that was refused.
    """

    status: int
    reason: str
    data: Any = None
    errors: dict[str, Any] = field(default_factory=dict)


def send(session: requests.Session, method: str, *, url: str, **options: Any) -> Answer:
    """Send a request and read its answer; redirects are not followed, as credentials belong to one address.

    Raises:
        UnexpectedAnswer: it is none of Proxmox VE, or beyond a limit.
        requests.RequestException: no answer came.
    """
    # Streamed, so that the limits below end an answer before it is in memory.
    response = session.request(method, url, allow_redirects=False, stream=True, **options)
    try:
        return _read_answer(response)
    finally:
        response.close()


def _read_answer(response: requests.Response) -> Answer:
    status, phrase = response.status_code, str(response.reason or "").strip()
    if 300 <= status < 400:
        raise UnexpectedAnswer(f"{status} {phrase}, a redirect, which is not followed")
    if status < 200:
        raise UnexpectedAnswer(f"the status {status}")
    # A small compressed body may become gigabytes.
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise UnexpectedAnswer(f"data compressed by {encoding[:20]!r}, which was not requested")
    body = _read_body(response.raw)
    if status >= 400 and not body.strip():
        return Answer(status, phrase[:_REASON])
    content = parse_json(body, status=status, phrase=phrase)
    if not isinstance(content, dict) or (status < 400 and "data" not in content):
        raise UnexpectedAnswer(f"JSON that is {_describe(content)}")
    message, errors = content.get("message"), content.get("errors")
    reason = message.strip() if isinstance(message, str) and message.strip() else phrase
    return Answer(status, reason[:_REASON], content.get("data"), _shorten(errors))


def _shorten(errors: object) -> dict[str, Any]:
    """Errors by parameter, few and short enough for the status of a call."""
    if not isinstance(errors, dict):
        return {}
    return {name[:100]: str(value)[:200] for name, value in list(errors.items())[:20]}


def _read_body(raw: BaseHTTPResponse) -> bytes:
    body = bytearray()
    end = time.monotonic() + _TOTAL_S
    try:
        while chunk := raw.read1(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > MAX_BYTES:
                raise UnexpectedAnswer(f"more than {MAX_BYTES} bytes")
            if time.monotonic() > end:
                raise requests.exceptions.ReadTimeout(f"no whole answer within {_TOTAL_S:.0f} s: timed out")
    except HTTPError as error:
        raise requests.exceptions.ConnectionError(f"the answer broke off: {error}") from error
    return bytes(body)


def parse_json(body: bytes, *, status: int = 200, phrase: str = "OK") -> Any:
    """Parse the body of an answer; bytes that are no UTF-8 become replacement characters.

    Raises:
        UnexpectedAnswer: it is no JSON, or has too many values or levels.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_VALUES:
        raise UnexpectedAnswer(f"JSON of more than {MAX_VALUES} values")
    if _is_deep(body):
        raise UnexpectedAnswer(f"JSON nested deeper than {MAX_DEPTH} levels")
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
        if _SURROGATE.search(body):  # one without its other half is no text, in no database and no message
            # Half a surrogate pair is valid JSON and invalid UTF-8.
            content = json.loads(json.dumps(content, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        kind = _describe_text(text)
        raise UnexpectedAnswer(kind if status == 200 else f"{status} {phrase} and {kind}") from None
    return content


def _is_deep(body: bytes) -> bool:
    """Whether brackets are nested too deep; each round removes one or two levels, at the speed of C."""
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return brackets.count(b"[") + brackets.count(b"{") > MAX_DEPTH


def _describe_text(text: str) -> str:
    start = text.lstrip()[:1]
    if start == "<":
        title = _TITLE.search(text[:20_000])
        return "a page of HTML" + (f" ({title.group(1).strip()!r})" if title else "")
    if not start:
        return "nothing"
    return "JSON that ends too early or has faults" if start in "[{" else "text that is no JSON"


def _describe(content: object) -> str:
    if isinstance(content, dict):
        return "an object without `data`"
    return "null" if content is None else f"{name_kind(content)} instead of an object"


def name_kind(data: Any) -> str:
    """Name a value of JSON for a person: `a list`."""
    return _KINDS.get(type(data), "a number")
