"""The OpenAPI 3.1 document of the REST API, from the protos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway.ageing import describe_ageing
from gateway.comments import split_summary
from gateway.patterns import LINE, SEGMENT
from gateway.responses import HEADERS, SCHEMAS, render_responses, render_shared_responses
from gateway.schemas import Schemas
from gateway.surface import HTTP_BODY, Binding, Method, Surface, list_parameters
from protos import VERSION

DESCRIPTION = """\
An application platform for Proxmox VE: deploy applications from a catalog into containers, keep them running, back \
them up, move them, and adopt containers that exist already.

Every path works with and without a trailing slash. Times are RFC 3339 in UTC. A field without a value is left out; \
lists are never null. Unknown fields of a body and unknown query parameters are refused, except parameters whose names \
begin with `_`. In a body null is the same as leaving the field out, unless the field says otherwise. HEAD answers \
like GET.

Sign in with `POST /api/auth/login` and send `Authorization: Bearer <access>`. A browser may rely on the cookies that \
signing in sets; its writes then also carry `X-CSRFToken`, equal to the cookie `csrftoken`. Over https the cookies are \
named `__Host-proximity-auth-cookie`, `__Host-csrftoken` and `__Secure-proximity-refresh-cookie`. Personal API tokens \
(`prx_...`) go into the same header. If a header and a cookie are sent, the header counts.

Errors have one shape, whatever part of the system refuses: see `Error`.
"""
WEBSOCKETS = """\
WebSockets take the same credentials, and connections of pages of the same origin alone. Binary frames carry what is \
typed and shown. Text frames are JSON: `{"columns": 80, "rows": 24}` to the service; `{"type": "attached"}`, \
`{"type": "exit", "status": 0}` and `{"type": "error", "code": "ABORTED", "reason": "APP_BUSY", "error": "..."}` from \
it. A refusal closes with 4000 plus the HTTP status.

"""
RECENT_SIGN_IN = """\
Sessions need a sign-in or step-up (`POST /api/auth/step-up`) within the last 10 minutes; otherwise 401 with the reason \
`STEP_UP_REQUIRED` in `details`. For API tokens the scopes decide."""
ACCESS = {
    "public": "Needs no credentials.",
    "user": "For every signed-in user.",
    "owner": "For the owner and for administrators; to others it does not exist.",
    "admin": "For administrators.",
}
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token (JWT, 60 minutes) or a personal API token.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "proximity-auth-cookie",
        "description": "Set by signing in over http.",
    },
    "httpsCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-proximity-auth-cookie",
        "description": "Set by signing in over https.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "The value of the cookie csrftoken, over https __Host-csrftoken. Needed by writes that a cookie authenticates.",
    },
}


def render_openapi(surface: Surface, *, version: str = VERSION) -> dict[str, Any]:
    """Return the document of a release; the same surface gives the same document."""
    schemas = Schemas(surface)
    paths: dict[str, Any] = {}
    for method in surface.routed:
        for number, binding in enumerate(method.bindings):
            operation = _render_operation(surface, schemas, method, number=number)
            paths.setdefault(binding.path, {})[binding.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Proximity",
            "version": version,
            "description": _describe(surface, schemas),
            "contact": {"name": "The administrators of this platform"},
        },
        "servers": [{"url": "/"}],
        "tags": list(_render_tags(surface, schemas)),
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": dict(sorted((schemas.components | SCHEMAS).items())),
            "responses": render_shared_responses([each for path in paths.values() for each in path.values()]),
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _render_tags(surface: Surface, schemas: Schemas) -> Iterator[dict[str, str]]:
    for service in surface.transcoded:
        yield {"name": _get_tag(service), "description": schemas.comments.get(service, "")}


def _describe(surface: Surface, schemas: Schemas) -> str:
    """Return the introduction, with the WebSockets, which OpenAPI has no operations for."""
    listed = [
        f"- `GET {method.websocket}`: {schemas.comments[f'{method.service}.{method.name}']}"
        for method in surface.websockets
    ]
    return "\n".join([DESCRIPTION, *([WEBSOCKETS, *listed, ""] if listed else [])])


def _get_tag(service: str) -> str:
    return service.rsplit(".", 1)[1].removesuffix("Service")


def _render_operation(surface: Surface, schemas: Schemas, method: Method, *, number: int) -> dict[str, Any]:
    binding = method.bindings[number]
    summary, description = split_summary(schemas.comments.get(f"{method.service}.{method.name}", method.name))
    if number:
        first = method.bindings[0]
        description = f"{description}\n\nThe same as {first.method} {first.path}.".strip()
    description = f"{description}\n\n{ACCESS[method.access]}".strip()
    if method.recent_sign_in:
        description = f"{description}\n\n{RECENT_SIGN_IN}".strip()
    if ageing := describe_ageing(method):
        description = f"{description}\n\n{ageing}".strip()
    operation: dict[str, Any] = {
        "operationId": _name_operation(method, binding),
        "tags": [_get_tag(method.service)],
        "summary": summary,
        "description": description,
        **({"deprecated": True} if method.deprecated else {}),
        "x-access": method.access,
        "security": _render_security(method),
    }
    if parameters := list(_render_parameters(surface, schemas, method, binding=binding)):
        operation["parameters"] = parameters
    if binding.body:
        operation["requestBody"] = _render_body(schemas, method, binding)
    operation["responses"] = render_responses(schemas, method, binding)
    return operation


def _name_operation(method: Method, binding: Binding) -> str:
    """Return the name of the RPC; another binding of it adds in what it differs from the first: UpdateUserByPut."""
    first = method.bindings[0]
    path = "At" + binding.segments[-1].title() if binding.path != first.path else ""
    verb = f"By{binding.method.title()}" if binding.method != first.method else ""
    return f"{method.name}{path}{verb}"


def _render_security(method: Method) -> list[dict[str, list[str]]]:
    if method.access == "public":
        return []
    csrf: dict[str, list[str]] = {} if method.reads else {"csrf": []}
    return [{"bearer": []}, {"cookie": []} | csrf, {"httpsCookie": []} | csrf]


def _render_body(schemas: Schemas, method: Method, binding: Binding) -> dict[str, Any]:
    schema = schemas.render_body(method.input, binding.variables)
    is_alias = binding != method.bindings[0]
    example = json.loads(method.alias_example) if is_alias and method.alias_example else None
    content = {"schema": schema, "example": example or make_example(schemas, method, schema)}
    return {"required": schemas.is_needed(schema), "content": {"application/json": content}}


def make_example(schemas: Schemas, method: Method, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the body that documentation offers: as declared, else the required fields with their examples."""
    if method.example:
        return json.loads(method.example)
    described = schemas.resolve(schema)
    return {
        name: _choose_value(name, described["properties"][name]) for name in described.get("required", ())
    }


def _choose_value(name: str, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if schema.get("writeOnly"):
        return f"<{name}>"
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "boolean":
        return True
    raise ValueError(f"{name} has no example: add one to its rules")


def _render_parameters(
    surface: Surface, schemas: Schemas, method: Method, *, binding: Binding
) -> Iterator[dict[str, Any]]:
    for variable in binding.variables:
        field = surface.find_field(method.input, variable)
        if field is None:
            raise ValueError(f"{binding.path}: {{{variable}}} is not a field of {method.input}")
        schema = schemas.render_parameter(field)
        if schema.get("type") == "string":
            schema["minLength"] = max(schema.get("minLength", 0), 1)
            if schema.get("pattern") == LINE:
                schema["pattern"] = SEGMENT
        yield _render_parameter(schemas, field, place="path", schema=schema)
    for field in list_parameters(surface, method, binding):
        yield _render_parameter(schemas, field, place="query", schema=schemas.render_parameter(field))
    if method.creates:
        yield _render_header("Idempotency-Key", "Makes a repeated request harmless: for 24 hours the same key with the "
            "same body gives the first answer again, and with another body 409.", {"type": "string", "maxLength": 255})  # fmt: skip
    if method.is_endless and method.output == HTTP_BODY:
        yield _render_header("Last-Event-ID", "The id of the last event that was received: the stream goes on behind "
            "it.", {"type": "string", "maxLength": 255})  # fmt: skip


def _render_parameter(
    schemas: Schemas, field: FieldDescriptor, *, place: str, schema: dict[str, Any]
) -> dict[str, Any]:
    required = place == "path" or (schema.get("minLength", 0) > 0 and not field.has_presence)
    parameter: dict[str, Any] = {"name": field.name, "in": place, "required": required, "schema": schema}
    if comment := schemas.comments.get(field.full_name):
        parameter["description"] = comment
    return parameter


def _render_header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
