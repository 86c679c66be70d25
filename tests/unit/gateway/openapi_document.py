"""The OpenAPI document of the platform's protos, and lookups in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.openapi import render_openapi
from gateway.surface import load_surface

SURFACE = load_surface()
DOCUMENT = render_openapi(SURFACE)


def list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for verb, operation in methods.items():
            yield path, verb.upper(), operation


def find_operation(verb: str, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = DOCUMENT["paths"][path][verb.lower()]
    return operation


def find_body(verb: str, path: str) -> dict[str, Any]:
    schema = find_operation(verb, path)["requestBody"]["content"]["application/json"]["schema"]
    return resolve(schema)


def find_answer(verb: str, path: str, status: str = "200") -> dict[str, Any]:
    return resolve(find_operation(verb, path)["responses"][status]["content"]["application/json"]["schema"])


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (
        DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    )
    return found
