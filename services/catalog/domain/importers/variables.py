"""Variables of a collection: known values and inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.entities import InputType
from services.catalog.domain.importers.draft import take_text
from services.catalog.domain.importers.secrets.secret_forms import choose_form, names_command, split_prefix
from services.catalog.domain.importers.secrets.secret_usage import is_given_out, is_hard_coded
from services.catalog.domain.inputs import find_value_fault
from services.catalog.domain.item import build_input, render_scalar
from services.catalog.domain.item_files.document import Value
from services.catalog.domain.names import is_secret_name
from services.catalog.domain.renderer.interpolation import Variable, map_texts, rewrite_variables

_OPTIONAL = re.compile(r"\boptional", re.IGNORECASE)
_LICENSE = re.compile(r"\blicen[cs]e", re.IGNORECASE)
# `<your domain>` as a default is an instruction to the reader, not a value.
_PLACEHOLDER = re.compile(r"<[^<>]{1,200}>")
# A variable with at most one plain default; what is nested is left to `interpolation`.
VARIABLE = re.compile(r"(?<!\$)\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-?][^{}$]*)?\}|([A-Za-z_][A-Za-z0-9_]*))")


def substitute_variables(tree: Value, known: Mapping[str, str]) -> Value:
    """Replace the variables whose value is known, whatever their defaults, and no others."""

    def write(variable: Variable) -> str:
        if variable.name in known and not variable.operator.endswith("+"):
            return known[variable.name]
        if "$" not in variable.alternative:
            return variable.text
        alternative = rewrite_variables(variable.alternative, write)
        return f"${{{variable.name}{variable.operator}{alternative}}}"

    return map_texts(tree, lambda text: rewrite_variables(text, write))


def make_variable(text: str) -> str:
    """Return a text as the name of a variable."""
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)[:100]
    return name if name[:1].isalpha() or name.startswith("_") else f"_{name}"


def add_default(record: dict[str, Any], default: object) -> dict[str, Any]:
    """Add a default to an input; a secret is generated instead, since a published one is no secret.

    A default that does not fit the input is left out, and the input becomes required.
    """
    is_secret = record["type"] == InputType.PASSWORD or is_secret_name(record["name"])
    if isinstance(default, str) and _PLACEHOLDER.fullmatch(default.strip()):
        default = ""
    empty = default is None or default == ""
    if is_secret and record["type"] in {"text", "password"}:
        if empty and not names_command(_read_about(record)):
            if record["type"] == "password" and record.get("required"):
                return record
            if _is_left_to_people(record):
                return {**record, "type": "password"}
        if empty or is_hard_coded(record["name"], str(default)) or record["type"] == "password":
            rest = {key: value for key, value in record.items() if key != "required"}
            return {
                **rest,
                "type": "password",
                "generate": _choose_rule(record, "" if empty else str(default)),
            }
    if default is None or isinstance(default, list | dict):
        return record
    text = take_text(render_scalar(default) if isinstance(default, bool | int | float) else default, 4000)
    filled = {**record, "default": text}
    return record if find_value_fault(build_input(filled), text) else filled


def _is_left_to_people(record: Mapping[str, Any]) -> bool:
    """Return whether a secret is issued by another service, or is optional."""
    name, about = record["name"].upper(), _read_about(record)
    is_optional = bool(_OPTIONAL.search(about)) and "PASS" not in name
    is_issued = name.endswith("CLIENT_SECRET") or bool(_LICENSE.search(about))
    return is_optional or is_issued or is_given_out(name)


def _read_about(record: Mapping[str, Any]) -> str:
    return f"{record.get('label', '')} {record.get('help', '')}"


def _choose_rule(record: Mapping[str, Any], example: str) -> dict[str, Any]:
    """Return how a secret is generated: in its form, of a length between its limits."""
    prefix, _ = split_prefix(example)
    rule = choose_form(record["name"], example="" if prefix else example, description=_read_about(record))
    if "alphabet" in rule:
        return rule
    length = int(min(max(record.get("minimum", rule["length"]), 8), record.get("maximum", 128), 128))
    return {"length": max(length, 8)}
