"""Requests to bindings of the gateway."""

from __future__ import annotations

import re
from typing import Any

from gateway.surface import Binding, Method, load_surface
from tests.contract.gateway.stub import Context, get_type

SURFACE = load_surface()


def fill_path(method: Method, binding: Binding) -> tuple[str, dict[str, Any]]:
    """Return a concrete path and the values that its fields must have."""
    values: dict[str, Any] = {}
    for variable in binding.variables:
        field = SURFACE.find_field(method.input, variable)
        assert field is not None
        values[variable] = "web-1a2b3c4d" if field.type == field.TYPE_STRING else 42
    return re.sub(r"\{(\w+)\}", lambda match: str(values[match.group(1)]), binding.path), values


def answer_event(content_type: str) -> Any:
    async def stream(_request: Any, _context: Context) -> Any:
        yield get_type("google.api.HttpBody")(content_type=content_type, data=b": hello\n\n")

    return stream
