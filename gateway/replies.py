"""What the gateway answers by itself, in the shape of every other error."""

from __future__ import annotations

from typing import Any

UNAVAILABLE = 503
# Status -> gRPC code's name, and the sentence; None keeps the sentence that the filter gave.
REPLIES: dict[int, tuple[str, str | None]] = {
    400: ("INVALID_ARGUMENT", None),
    401: ("UNAUTHENTICATED", None),
    403: ("PERMISSION_DENIED", "This is not allowed"),
    404: ("NOT_FOUND", None),
    405: ("UNIMPLEMENTED", None),
    408: ("DEADLINE_EXCEEDED", "The request did not arrive in time"),
    413: ("INVALID_ARGUMENT", "The request is too large"),
    415: ("INVALID_ARGUMENT", None),
    426: ("INVALID_ARGUMENT", None),
    429: ("RESOURCE_EXHAUSTED", "Too many requests; try again after the time in Retry-After"),
    431: ("INVALID_ARGUMENT", "The request's headers are too large"),
    501: (
        "UNIMPLEMENTED",
        "This transfer encoding is not possible here; send the body chunked, or with its length",
    ),
    502: ("UNAVAILABLE", "The service gave an answer that could not be read; try again"),
    503: ("UNAVAILABLE", "The service is not available; try again shortly"),
    504: ("DEADLINE_EXCEEDED", "The service did not answer in time"),
}

REFUSED_WEBSOCKET = (
    "There is no WebSocket at this path, or the page is of another origin, whose pages may not open it"
)


def render_local_replies() -> dict[str, Any]:
    """Return Envoy's local_reply_config."""
    mappers = [_leave_native_calls(), _pass_query_to_script(), _map_refused_websocket()]
    for status, (code, sentence) in REPLIES.items():
        mappers.append(_map_status("EQ", status, _render_body(code, sentence)))
    mappers.append(_map_status("GE", 500, _render_body("INTERNAL", "Internal error")))
    mappers.append(_map_status("GE", 400, _render_body("INVALID_ARGUMENT", "The request cannot be served")))
    return {"mappers": mappers}


def _leave_native_calls() -> dict[str, Any]:
    """A gRPC client reads a status, not JSON. Calls that came in as REST carry the path they had."""
    native = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    rest = {"name": "x-envoy-original-path", "present_match": True, "invert_match": True}
    return {"filter": {"and_filter": {"filters": [{"header_filter": {"header": h}} for h in (native, rest)]}}}


def _pass_query_to_script() -> dict[str, Any]:
    """Envoy refuses QUERY without a content type before the filters: the script answers it as other methods, by its path."""
    method = {"header_filter": {"header": {"name": ":method", "string_match": {"exact": "QUERY"}}}}
    body = _render_body("INVALID_ARGUMENT", None)
    mapper = _map_status("EQ", 400, body)
    mapper["filter"] = {"and_filter": {"filters": [method, mapper["filter"]]}}
    path = {"header": {"key": "x-proximity-refused-path", "value": "%REQ(:PATH)%"}}
    return mapper | {"headers_to_add": [path | {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}


def _map_refused_websocket() -> dict[str, Any]:
    """Say why a WebSocket is refused: Envoy itself gives no reason where there is none."""
    asks = {"name": "sec-websocket-key", "present_match": True}
    mapper = _map_status("EQ", 403, _render_body("PERMISSION_DENIED", REFUSED_WEBSOCKET))
    filters = [mapper["filter"], {"header_filter": {"header": asks}}]
    return mapper | {"filter": {"and_filter": {"filters": filters}}}


def _map_status(operator: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    comparison = {
        "op": operator,
        "value": {"default_value": status, "runtime_key": f"gateway.reply.{operator}.{status}"},
    }
    mapper: dict[str, Any] = {
        "filter": {"status_code_filter": {"comparison": comparison}},
        "body_format_override": {"json_format": body, "content_type": "application/json"},
    }
    if status == UNAVAILABLE:
        mapper["headers_to_add"] = [
            {"header": {"key": "retry-after", "value": "2"}, "append_action": "ADD_IF_ABSENT"}
        ]
    return mapper


def _render_body(code: str, sentence: str | None) -> dict[str, Any]:
    return {"error": sentence or "%LOCAL_REPLY_BODY%", "code": code, "details": []}
