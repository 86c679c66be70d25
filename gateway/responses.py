"""The answers in the OpenAPI document: every status that an operation can give, and the schema of errors."""

from __future__ import annotations

from typing import Any

from gateway.schemas import Schemas
from gateway.surface import HTTP_BODY, Binding, Method

# gRPC's codes by name, as errors carry them.
CODES = ["CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]  # fmt: skip
COMMON_ERRORS = (400, 401, 403, 404, 429, 500, 503, 504)
BODY_ERRORS = (413, 415)
DESCRIPTIONS = {
    400: "The request is not valid; `details` names the fields.",
    401: "No credentials, or none that count.",
    403: "Signed in, but not allowed.",
    404: "It does not exist, or it is somebody else's.",
    409: "It conflicts with what is there: taken, busy, or not in a state for this.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "A fault of the server; quote the header X-Request-Id when reporting it.",
    501: "Not possible on this installation.",
    503: "A service, or Proxmox, is not available.",
    504: "No answer in time.",
}
# Its 503 is an answer and no refusal: the same message with what is broken.
HEALTH = "proximity.inventory.v1.SystemService/GetHealth"

SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "description": "A refusal or a failure.",
        "required": ["error", "code", "details"],
        "properties": {
            "error": {"type": "string", "description": "One sentence that a person can act on."},
            "code": {"type": "string", "enum": CODES, "description": "The name of the gRPC code."},
            "details": {
                "type": "array",
                "description": "google.rpc messages: BadRequest with field_violations, RetryInfo, ErrorInfo.",
                "items": {
                    "type": "object",
                    "required": ["@type"],
                    "properties": {"@type": {"type": "string"}},
                    "additionalProperties": True,
                },
            },
        },
        "examples": [
            {
                "error": "hostname: must match [a-z0-9-]",
                "code": "INVALID_ARGUMENT",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        "field_violations": [{"field": "hostname", "description": "must match [a-z0-9-]"}],
                    }
                ],
            }
        ],
    }
}
HEADERS: dict[str, Any] = {
    "Location": {"description": "Where to look at what was begun or made.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "string"}},
    "Link": {
        "description": "The first, previous, next and last page (RFC 8288).",
        "schema": {"type": "string"},
    },
    "ETag": {"description": "Names this state; send it as If-None-Match.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to sign in.", "schema": {"type": "string"}},
}
ERROR_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def _render_error(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": DESCRIPTIONS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status in ERROR_HEADERS:
        response["headers"] = _refer_headers(*ERROR_HEADERS[status])
    return response


def _refer_headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def render_shared_responses(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the error responses that the operations refer to."""
    used = {
        int(status)
        for operation in operations
        for status, each in operation["responses"].items()
        if "$ref" in each
    }
    return {f"Error{status}": _render_error(status) for status in sorted(used)}


def render_responses(schemas: Schemas, method: Method, binding: Binding) -> dict[str, Any]:
    """Return the answers of an operation by status."""
    responses = {method.success: _render_success(schemas, method)}
    if method.success == 202:  # there may be nothing left to do
        responses[200] = _render_success(schemas, method)
    if method.reads and not method.server_streaming:
        responses[304] = {"description": "Not changed since the state that If-None-Match names."}
    conflict = (409,) if method.creates else ()  # an Idempotency-Key that was used for another request
    for status in {*COMMON_ERRORS, *(BODY_ERRORS if binding.body else ()), *conflict, *method.errors}:
        if status not in DESCRIPTIONS:
            raise ValueError(
                f"{method.service}.{method.name} declares error {status}, which has no description"
            )
        responses[status] = {"$ref": f"#/components/responses/Error{status}"}
    if method.path == f"/{HEALTH}":
        responses[503] = _render_success(schemas, method) | {
            "description": "A part without which nothing works is down."
        }
    return {str(status): responses[status] for status in sorted(responses)}


def _render_success(schemas: Schemas, method: Method) -> dict[str, Any]:
    response: dict[str, Any] = {"description": "Success."}
    if headers := _list_headers(schemas, method):
        response["headers"] = _refer_headers(*headers)
    if method.success != 204:
        response["content"] = _render_content(schemas, method)
    return response


def _list_headers(schemas: Schemas, method: Method) -> list[str]:
    if method.success in {201, 202}:
        return ["Location", "Retry-After"]
    if method.reads and not method.server_streaming:
        return ["ETag", "Link"] if schemas.is_paged(method.input) else ["ETag"]
    return []


def _render_content(schemas: Schemas, method: Method) -> dict[str, Any]:
    if method.events:
        return {"text/event-stream": {"schema": schemas.refer_to_events(method.events)}}
    if method.output == HTTP_BODY:
        if not method.media_types:
            raise ValueError(f"{method.path} answers with bytes and declares no media_types")
        return {kind: {"schema": _describe_bytes(kind)} for kind in method.media_types}
    schema = schemas.refer_to_answer(method.output)
    return {"application/json": {"schema": {"type": "array", "items": schema} if method.is_array else schema}}


def _describe_bytes(media_type: str) -> dict[str, Any]:
    if media_type.endswith("json"):
        return {"type": "object", "additionalProperties": True}
    # Generators take a text for a text; `format` says that these are bytes.
    binary = {"format": "binary"} if media_type.startswith("image/") else {}
    return {"type": "string", "contentMediaType": media_type} | binary
