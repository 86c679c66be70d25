"""The variables of a collection: those that are known, and those that people are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.document import Value
from services.catalog.domain.entities import InputType
from services.catalog.domain.importers.draft import take_text
from services.catalog.domain.importers.hard_coded import is_given_out, is_hard_coded
from services.catalog.domain.inputs import find_value_fault
from services.catalog.domain.interpolation import map_texts
from services.catalog.domain.item import build_input, render_scalar
from services.catalog.domain.values import is_secret_name

_PLACEHOLDER = re.compile(r"<[^<>]{1,200}>")
VARIABLE = re.compile(r"(?<!\$)\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-?][^{}$]*)?\}|([A-Za-z_][A-Za-z0-9_]*))")


def substitute_variables(tree: Value, known: Mapping[str, str]) -> Value:
    """Replace the variables whose value is known, whatever their defaults; leave all others."""

    def change(text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            return known.get(match[1] or match[2], match[0])

        return VARIABLE.sub(replace, text) if "$" in text else text

    return map_texts(tree, change)


def make_variable(text: str) -> str:
    """Return a text as the name of a variable."""
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)[:100]
    return name if name[:1].isalpha() or name.startswith("_") else f"_{name}"


def add_default(record: dict[str, Any], default: object) -> dict[str, Any]:
    """Add a default, or have a secret generated: one that everybody knows is none.

    A default that does not fit the input is left out, the input being asked for then.
    """
    is_secret = record["type"] == InputType.PASSWORD or is_secret_name(record["name"])
    if isinstance(default, str) and _PLACEHOLDER.fullmatch(default.strip()):
        default = ""
    empty = default is None or default == ""
    if is_secret and record["type"] in {"text", "password"}:
        if empty and record["type"] == "password" and record.get("required"):
            return record
        if empty and is_given_out(record["name"]):
            return {**record, "type": "password"}
        if empty or is_hard_coded(record["name"], str(default)) or record["type"] == "password":
            length = int(min(max(record.get("minimum", 32), 8), record.get("maximum", 128), 128))
            kept = {key: value for key, value in record.items() if key != "required"}
            return {**kept, "type": "password", "generate": {"length": max(length, 8)}}
    if default is None or isinstance(default, list | dict):
        return record
    text = take_text(render_scalar(default) if isinstance(default, bool | int | float) else default, 4000)
    filled = {**record, "default": text}
    return record if find_value_fault(build_input(filled), text) else filled
