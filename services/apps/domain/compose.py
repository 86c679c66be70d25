"""Compose definitions and their .env files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_ESCAPES = str.maketrans({"\\": r"\0134", '"': r"\"", "$": r"\$", "\r": r"\r"})


def render_env_file(environment: Mapping[str, str]) -> str:
    """The text of a .env file that compose reads back as exactly these values."""
    return "".join(f"{name}={_quote(value)}\n" for name, value in sorted(environment.items()))


def _quote(value: str) -> str:
    """Quote a value for Compose's reader, which is not a shell's.

    Single quotes take everything literally but a quote, a backslash before the closing quote, and a carriage return
    (which some versions drop before a line feed). Double quotes know escapes; a backslash is written as its octal code,
    since versions differ on whether a quote behind two backslashes closes.
    """
    if "'" not in value and "\r" not in value and not value.endswith("\\"):
        return f"'{value}'"
    return '"' + value.translate(_ESCAPES) + '"'


def read_project(compose: str) -> str:
    """The name of a definition's project, empty where it has none."""
    document: Any = yaml.safe_load(compose)
    return str(document.get("name") or "") if isinstance(document, dict) else ""


def republish(compose: str, old: int, new: int) -> str:
    """The definition with host port `old` changed to `new`; the rest means the same."""
    document: Any = yaml.safe_load(compose)
    for service in (document.get("services") or {}).values():
        if "ports" in service:
            service["ports"] = [_republish_port(entry, old, new) for entry in service["ports"]]
    return str(yaml.safe_dump(document, sort_keys=False))


def _republish_port(entry: Any, old: int, new: int) -> Any:
    if isinstance(entry, dict):
        return {**entry, "published": str(new)} if str(entry.get("published")) == str(old) else entry
    parts = str(entry).split(":")
    if len(parts) > 1 and parts[-2] == str(old):
        parts[-2] = str(new)
        return ":".join(parts)
    return entry
