"""The Lua of the gateway: the fixed parts, `query.lua` and `gateway.lua`, behind tables generated from the protos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.operations import describe_operation
from gateway.surface import Method, Surface

SOURCES = tuple(Path(__file__).with_name(name) for name in ("query.lua", "gateway.lua"))
# Standard services that need no credentials.
REFLECTION_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
HEALTH_SERVICE = "grpc.health.v1.Health"


def render_script(surface: Surface, pages: tuple[str, ...], files: tuple[str, ...]) -> str:
    """Return the Lua source for the RPCs of a surface, the documentation `pages` and the console's `files` (paths, read by GET)."""
    native = {method.path: get_door(method) for method in surface.routed}
    owners = {method.service: method.owner for method in surface.routed}
    return "\n".join(
        [
            f"local ROUTES = {_render_table(_build_tree(surface, pages))}",
            f"local NATIVE = {_render_table(native)}",
            f"local FILES = {_render_table(dict.fromkeys(files, 1))}",
            f"local OWNERS = {_render_table(owners)}",
            *(source.read_text(encoding="utf-8") for source in SOURCES),
        ]
    )


def get_door(method: Method) -> str:
    """Return `user` when the gateway refuses callers with plainly bad credentials, else `open`.

    Auth is the authority on credentials: it needs no gateway to judge them, and its refusals carry more than a
    status (GET /api/auth/user hands out the CSRF cookie with its 401). So its RPCs stand open here.
    """
    return "open" if method.access == "public" or method.owner == "auth" else "user"


def _build_tree(surface: Surface, pages: tuple[str, ...]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for method in surface.routed:
        for binding in method.bindings:
            operation = {"access": get_door(method), **describe_operation(surface, method, binding)}
            _descend(root, binding.segments).setdefault("ops", {})[binding.method] = operation
        if method.websocket:
            binding = method.websocket_binding
            operation = {"access": get_door(method), **describe_operation(surface, method, binding)}
            _descend(root, binding.segments).setdefault("ops", {})["GET"] = operation
    for page in pages:
        operation = {"access": "open", "body": False, "array": False}
        _descend(root, tuple(page.strip("/").split("/"))).setdefault("ops", {}).update(
            GET=operation, HEAD=operation
        )
    return root


def _descend(root: dict[str, Any], segments: tuple[str, ...]) -> dict[str, Any]:
    node = root
    for segment in segments:
        if segment.startswith("{"):
            node = node.setdefault("var", {})
        else:
            node = node.setdefault("lit", {}).setdefault(segment, {})
    return node


def _render_table(value: Any) -> str:  # noqa: ANN401 - a tree of dicts, strings, integers and booleans
    if isinstance(value, dict):
        return "{" + ",".join(f"[{_quote(key)}]={_render_table(value[key])}" for key in sorted(value)) + "}"
    return str(value).lower() if isinstance(value, int) else _quote(value)


def _quote(text: str) -> str:
    """Quote a string of a proto for Lua; names and path segments are printable ASCII."""
    if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        raise ValueError(f"{text!r} cannot stand in a path")
    return f'"{text}"'
