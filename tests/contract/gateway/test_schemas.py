"""What REST sends and prints is what the OpenAPI document says, for every field of every RPC."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from openapi_schema_validator import OAS31Validator

from gateway.openapi import render_openapi
from gateway.surface import HTTP_BODY, Method, load_surface
from tests.contract.gateway.requests import fill_path
from tests.contract.gateway.stub import Backend, Context, get_type

SURFACE = load_surface()
DOCUMENT = render_openapi(SURFACE)
ANSWERING = [m for m in SURFACE.routed if m.bindings and m.output not in {HTTP_BODY, "google.protobuf.Empty"}]
ASKING = [m for m in SURFACE.routed if m.bindings and m.output != HTTP_BODY]
SCALARS: dict[int, Any] = {
    FieldDescriptor.TYPE_STRING: "tèxt",
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_INT32: 7,
    FieldDescriptor.TYPE_DOUBLE: 1.5,
    FieldDescriptor.TYPE_BYTES: b"bytes",
}


def fill(message: Message, *, optional: bool, depth: int = 0) -> Any:
    """Give every field a value; without `optional` only those that are always there."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Struct":
        message.update({"memory": 2048, "name": "x", "list": [1, None]})  # type: ignore[attr-defined]
        return message
    if message.DESCRIPTOR.full_name in {"google.protobuf.Value", "google.protobuf.ListValue"}:
        given: Any = [{"bridge": "vmbr0", "vlan": 20}]
        return ParseDict(given, message)
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        message.FromJsonString("2026-01-31T12:00:00.5Z")  # type: ignore[attr-defined]
        return message
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is None or optional:
            fill_field(message, field, optional=optional, depth=depth)
    return message


def fill_field(message: Message, field: Any, *, optional: bool, depth: int) -> None:
    target = getattr(message, field.name)
    if field.message_type is None:
        value = SCALARS[field.type]
        if field.is_repeated and optional:
            target.extend([value, value])
        elif not field.is_repeated:
            setattr(message, field.name, value)
    elif field.message_type.GetOptions().map_entry:
        if optional:
            target["key"] = SCALARS[field.message_type.fields_by_name["value"].type]
    elif not field.is_repeated:
        target.SetInParent()
        fill(target, optional=optional, depth=depth + 1)
    elif optional and depth < 4:
        fill(target.add(), optional=optional, depth=depth + 1)


def validate(instance: Any, schema: dict[str, Any]) -> list[str]:
    whole = schema | {"components": DOCUMENT["components"]}
    return [f"{list(error.path)}: {error.message}" for error in OAS31Validator(whole).iter_errors(instance)]


@pytest.mark.parametrize("optional", [True, False], ids=["all", "least"])
@pytest.mark.parametrize("method", ANSWERING, ids=lambda method: method.name)
def test_answers_fit_their_schema(
    client: httpx.Client, backend: Backend, method: Method, optional: bool
) -> None:
    async def answer(_request: Any, context: Context) -> Any:
        await context.send_initial_metadata([("x-http-code", str(method.success))])
        return fill(get_type(method.output)(), optional=optional)

    async def stream(_request: Any, _context: Context) -> Any:
        for _ in range(2):
            yield fill(get_type(method.output)(), optional=optional)

    backend.answers[method.path] = stream if method.server_streaming else answer
    binding = method.bindings[0]
    path, _ = fill_path(method, binding)
    response = client.request(binding.method, path, json={} if binding.body else None)
    assert response.status_code == method.success
    operation = DOCUMENT["paths"][binding.path][binding.method.lower()]
    schema = operation["responses"][str(method.success)]["content"]["application/json"]["schema"]
    assert validate(response.json(), schema) == []
    named = set(resolve(schema)["properties"])
    body = response.json()[0] if method.is_array else response.json()
    assert set(body) <= named
    if optional:
        assert set(body) == named


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    schema = schema.get("items", schema)
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


@pytest.mark.parametrize("method", ASKING, ids=lambda method: method.name)
def test_requests_arrive_as_they_were_meant(client: httpx.Client, backend: Backend, method: Method) -> None:
    for binding in method.bindings:
        backend.calls.clear()
        path, values = fill_path(method, binding)
        meant: Any = fill(get_type(method.input)(), optional=True)
        for name, value in values.items():
            setattr(meant, name, value)
        sent = MessageToDict(meant, preserving_proto_field_name=True)
        sent = {name: value for name, value in sent.items() if name not in values}
        if binding.body:
            response = client.request(binding.method, path, json=sent)
        else:
            query = {
                name: str(value).lower() if isinstance(value, bool) else value for name, value in sent.items()
            }
            response = client.request(binding.method, path, params=query)
        assert response.status_code == method.success, response.text
        [call] = [call for call in backend.calls if call.path == method.path]
        assert call.request == meant
