"""The official API schema: finding a path's method, verifying its parameters."""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.pvesim.model.formats import find_complaint
from tests.pvesim.model.properties import PropertyError, split_properties

DATA = Path(__file__).parent.parent / "data"
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
MISSING = "property is missing and it is not optional"
MOST = {"net": 32, "mp": 256, "dev": 256, "unused": 256}


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one path as the official schema declares it."""

    verb: str
    path: str
    properties: dict[str, Any]
    additional: bool
    permissions: dict[str, Any] | None
    allow_token: bool
    proxied: bool
    patterns: tuple[tuple[re.Pattern[str], int, Any], ...] = field(default=())

    def find_property(self, name: str) -> dict[str, Any] | None:
        """The schema of one parameter, `net0` being one of `net[n]`."""
        if name in self.properties:
            found: dict[str, Any] = self.properties[name]
            return found
        for pattern, most, schema in self.patterns:
            matched = pattern.fullmatch(name)
            if matched and int(matched[1]) < most:
                return dict(schema)
        return None


def _load_method(verb: str, path: str, raw: dict[str, Any]) -> Method:
    indexed = {name: schema for name, schema in raw["properties"].items() if name.endswith("[n]")}
    patterns = tuple(
        (re.compile(rf"{re.escape(name[:-3])}(0|[1-9]\d*)"), MOST.get(name[:-3], 32), schema)
        for name, schema in indexed.items()
    )
    plain = {name: schema for name, schema in raw["properties"].items() if name not in indexed}
    return Method(
        verb=verb,
        path=path,
        properties=plain,
        additional=bool(raw["additional"]),
        permissions=raw.get("permissions"),
        allow_token=bool(raw.get("allowtoken", 1)),
        proxied=bool(raw.get("proxyto")),
        patterns=patterns,
    )


@cache
def load_methods() -> dict[str, dict[str, Method]]:
    """Path -> verb -> method, for every path of the schema beside this program."""
    raw = json.loads((DATA / "schema.json").read_text())
    return {
        path: {verb: _load_method(verb, path, method) for verb, method in methods.items()}
        for path, methods in raw["paths"].items()
    }


@cache
def _load_templates() -> tuple[tuple[tuple[str, ...], str], ...]:
    ordered = sorted(load_methods(), key=lambda path: path.count("{"))
    return tuple((tuple(path.strip("/").split("/")), path) for path in ordered)


def find_path(path: str) -> tuple[str, dict[str, str]] | None:
    """The schema's path that a request's path means, and the values in it."""
    parts = path.strip("/").split("/")
    for template, name in _load_templates():
        rest = template[-1] == "{volume}"
        if len(parts) != len(template) and not (rest and len(parts) > len(template)):
            continue
        given = [*parts[: len(template) - 1], "/".join(parts[len(template) - 1 :])]
        if all(want == got or want.startswith("{") for want, got in zip(template, given, strict=True)):
            values = zip(template, given, strict=True)
            return name, {want[1:-1]: got for want, got in values if want.startswith("{")}
    return None


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("(?^:", "(?:"))


NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
INTEGER = re.compile(r"[+-]?\d+")
BOOLEAN = re.compile(r"[01]")


def _check_type(kind: str, value: Any) -> str | None:
    if isinstance(value, bool):
        value = "1" if value else "0"
    if isinstance(value, list | dict):
        return f"type check ('{kind}') failed - got {'ARRAY' if isinstance(value, list) else 'HASH'}"
    text = str(value)
    forms = {"integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN}
    good = kind not in forms or forms[kind].fullmatch(text)
    return None if good else f"type check ('{kind}') failed - got '{text}'"


def _convert(kind: str, value: Any) -> Any:
    text = ("1" if value else "0") if isinstance(value, bool) else str(value)
    if kind in {"integer", "boolean"}:
        return int(text)
    if kind == "number":
        return float(text) if not INTEGER.fullmatch(text) else int(text)
    return text


def check_value(name: str, value: Any, schema: dict[str, Any]) -> str | None:
    """What is wrong with one parameter, in Proxmox's words, or None."""
    kind = schema.get("type", "string")
    if kind == "array":
        items = value if isinstance(value, list) else [value]
        return next((text for item in items if (text := check_value(name, item, schema["items"]))), None)
    if complaint := _check_type(kind, value):
        return complaint
    text = str(_convert(kind, value))
    if complaint := _check_format(name, text, schema.get("format")):
        return f"invalid format - {complaint}"
    return _check_limits(text, schema)


def _check_format(name: str, text: str, form: Any) -> str | None:
    if isinstance(form, str):
        return find_complaint(form, text)
    if not isinstance(form, dict):
        return None
    try:
        values = split_properties(text, form)
    except PropertyError as error:
        return str(error)
    errors = check_object(values, form, prefix=f"{name}.")
    return "format error\n" + "".join(f"{key}: {errors[key]}\n" for key in sorted(errors)) if errors else None


def _check_limits(text: str, schema: dict[str, Any]) -> str | None:
    pattern = schema.get("pattern")
    if pattern is not None and not _compile(pattern).fullmatch(text):
        return "value does not match the regex pattern"
    if len(text) > int(schema.get("maxLength", len(text))):
        return f"value may only be {schema['maxLength']} characters long"
    if len(text) < int(schema.get("minLength", 0)):
        return f"value must be at least {schema['minLength']} characters long"
    if NUMBER.fullmatch(text):
        if "maximum" in schema and float(text) > float(schema["maximum"]):
            return f"value must have a maximum value of {schema['maximum']}"
        if "minimum" in schema and float(text) < float(schema["minimum"]):
            return f"value must have a minimum value of {schema['minimum']}"
    if schema.get("enum") and text not in map(str, schema["enum"]):
        return (
            f"value '{text}' does not have a value in the enumeration '{', '.join(map(str, schema['enum']))}'"
        )
    return None


def check_object(values: dict[str, Any], fields: dict[str, Any], *, prefix: str = "") -> dict[str, str]:
    """Complaints by (prefixed) name about the values of a property string."""
    errors = {
        f"{prefix}{key}": MISSING
        for key, schema in fields.items()
        if not schema.get("optional") and not schema.get("alias") and key not in values
    }
    for key, value in values.items():
        schema = fields.get(key)
        text = UNKNOWN if schema is None else check_value(f"{prefix}{key}", value, schema)
        if text:
            errors[f"{prefix}{key}"] = text
    return errors


def verify(method: Method, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The parameters in the schema's types, and the complaints about them by name."""
    errors = {
        name: MISSING
        for name, schema in method.properties.items()
        if not schema.get("optional") and name not in params
    }
    typed: dict[str, Any] = {}
    for name, value in params.items():
        schema = method.find_property(name)
        if schema is None:
            if not method.additional:
                errors[name] = UNKNOWN
            continue
        if text := check_value(name, value, schema):
            errors[name] = text
            continue
        needed = schema.get("requires")
        if isinstance(needed, str) and needed not in params:
            errors[needed] = f"missing property - '{name}' requires this property"
        kind = schema.get("type", "string")
        typed[name] = (
            (value if isinstance(value, list) else [value]) if kind == "array" else _convert(kind, value)
        )
    return typed, errors
