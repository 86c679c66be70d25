"""The page of what an item of the catalog may say, from its JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parents[2] / "services" / "catalog" / "schema.json"
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "from {}",
    "maximum": "up to {}",
    "pattern": "like `{}`",
    "format": "a {}",
}


def render_catalog_schema() -> str:
    """docs/reference/catalog-schema.md."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    lines = [
        "# Items of the catalog",
        f"{_escape(schema['description']).rstrip('.')}. Made from `services/catalog/schema.json`, which `GET /api/catalog/schema`",
        "serves for editors; [Catalog](../catalog.md) says how items are written, checked and rendered. Fields in bold are",
        "required; `[]` is each item of a list.",
        "",
        "| field | type | what |",
        "|---|---|---|",
        *_list_fields(schema, ""),
    ]
    return "\n".join(lines) + "\n"


def _list_fields(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        shown = f"**`{path}`**" if name in required else f"`{path}`"
        yield f"| {shown} | {_name_type(field)} | {_describe(field)} |"
        yield from _list_fields(field, f"{path}.")
        items = field.get("items")
        if isinstance(items, dict) and "properties" in items:
            yield from _list_fields(items, f"{path}[].")


def _name_type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    kinds = field.get("type", "any")
    name = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    items = field.get("items")
    return f"{name} of {_name_type(items)}" if isinstance(items, dict) else name


def _describe(field: Mapping[str, Any]) -> str:
    parts = [str(field["description"]).rstrip(".")] if "description" in field else []
    parts += [text.format(field[name]) for name, text in _LIMITS.items() if name in field]
    if "default" in field:
        parts.append(f"default `{json.dumps(field['default'])}`")
    return _escape("; ".join(parts))


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<id>", "&lt;id&gt;")
