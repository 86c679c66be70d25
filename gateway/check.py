"""Faults in the protos' REST paths that Envoy accepts at start and answers with 404 or worse later."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor

from gateway.ageing import check_ageing
from gateway.pages import PATHS
from gateway.rest_image import JSON_BODY_NUMBER
from gateway.surface import HTTP_BODY, Binding, Method, Surface

PREFIX = "/api/"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
SUCCESSES = {200, 201, 202, 204}
_LITERAL = re.compile(r"^[A-Za-z0-9._-]+$")
_VARIABLE = re.compile(r"^\{[a-z][a-z0-9_]*\}$")
_INTEGERS_OF_64_BITS = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
}


def check_surface(surface: Surface) -> list[str]:
    """Return every fault, a sentence each; empty when all is well."""
    faults = [fault for method in surface.methods for fault in _check_method(surface, method)]
    return faults + list(_find_duplicates(surface))


def _check_method(surface: Surface, method: Method) -> Iterator[str]:
    where = f"{method.service}.{method.name}"
    if method.access == "unspecified":
        yield f"{where} declares no access"
    if method.access == "internal" and method.bindings:
        yield f"{where} is internal and has a REST path: {method.bindings[0].path}"
    if method.success not in SUCCESSES:
        yield f"{where} declares success {method.success}, which the gateway does not pass on"
    if method.client_streaming and method.bindings:
        yield f"{where} takes a stream, which REST cannot send"
    if method.is_array and method.success != 200:
        yield f"{where} answers an array with {method.success}; arrays are 200"
    yield from (f"{where} {fault}" for fault in check_ageing(method))
    yield from (
        f"{where}, WebSocket {method.websocket}: {fault}" for fault in _check_websocket(surface, method)
    )
    for binding in method.bindings:
        place = f"{where}, {binding.method} {binding.path}"
        yield from (f"{place}: {fault}" for fault in _check_binding(method, binding))
        yield from (f"{place}: {fault}" for fault in _check_variables(surface, method, binding))
    if method.takes_json:
        for field in surface.get_message(method.input).fields:
            if field.number >= JSON_BODY_NUMBER:
                yield f"{where}: {field.full_name} has number {field.number}; the body of JSON has {JSON_BODY_NUMBER}"
    if method.is_routed and method.bindings and method.output != HTTP_BODY:
        yield from (f"{where}: {fault}" for fault in _find_wide_integers(surface, method.output))


def _check_binding(method: Method, binding: Binding) -> Iterator[str]:
    if binding.method not in METHODS:
        yield f"method {binding.method!r} is not one of {sorted(METHODS)}"
    if not binding.path.startswith(PREFIX) or binding.path.endswith("/"):
        yield f"the path must begin with {PREFIX} and not end with /"
    for segment in binding.segments:
        if not _LITERAL.match(segment) and not _VARIABLE.match(segment):
            yield f"segment {segment!r} is neither a word nor {{field}}"
    if binding.body not in {"", "*"}:
        yield f"body {binding.body!r}: only * is supported"
    if binding.method in {"GET", "DELETE"} and binding.body:
        yield f"{binding.method} takes no body"
    if binding.method in {"POST", "PUT", "PATCH"} and not binding.body:
        yield f"{binding.method} needs a body"
    if binding.method == "GET" and not method.reads:
        yield "GET must be free of side effects: idempotency_level = NO_SIDE_EFFECTS"


def _check_websocket(surface: Surface, method: Method) -> Iterator[str]:
    if not method.websocket:
        return
    if not (method.client_streaming and method.server_streaming):
        yield "only a bidirectional stream is carried by a WebSocket"
    if method.bindings:
        yield "the RPC has a REST path too"
    binding = method.websocket_binding
    if not binding.path.startswith(PREFIX) or binding.path.endswith("/"):
        yield f"the path must begin with {PREFIX} and not end with /"
    if len(binding.variables) != 1:
        yield "the path must have one variable, which names the subject"
    yield from _check_variables(surface, method, binding)


def _check_variables(surface: Surface, method: Method, binding: Binding) -> Iterator[str]:
    for variable in binding.variables:
        field = surface.find_field(method.input, variable)
        if field is None:
            yield f"{{{variable}}} is not a field of {method.input}"
        elif field.message_type is not None or field.is_repeated:
            yield f"{{{variable}}} is not a single value"
    if len(set(binding.variables)) != len(binding.variables):
        yield "a variable stands twice"


def _find_duplicates(surface: Surface) -> Iterator[str]:
    """Two templates that differ only in names of variables are one to the transcoder, which then knows neither."""
    owners: dict[tuple[str, str], str] = {("GET", page): "the documentation" for page in PATHS}
    for method in surface.methods:
        websockets = (method.websocket_binding,) if method.websocket else ()
        for binding in (*method.bindings, *websockets):
            where = f"{method.service}.{method.name}"
            first = owners.setdefault((binding.method, binding.shape), where)
            if first is not where:
                yield f"{where}: {binding.method} {binding.path} belongs to {first} already"


def _find_wide_integers(surface: Surface, message: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """64-bit integers would print as strings in JSON."""
    for field in surface.get_message(message).fields:
        if field.type in _INTEGERS_OF_64_BITS:
            yield f"{field.full_name} has 64 bits, which JSON prints as a string; use int32 or double"
        nested = field.message_type
        if (
            nested is not None
            and nested.full_name.startswith("proximity.")
            and nested.full_name not in seen | {message}
        ):
            yield from _find_wide_integers(surface, nested.full_name, seen | {message})
