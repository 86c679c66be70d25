"""Compose definitions and their .env files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from services.common.core.text import ALIAS

FOLDER = "/opt/proximity"
"""The folder of an app in its container."""
COMPOSE = f"{FOLDER}/compose.yaml"
_HOST = "PROXIMITY_HOSTNAME"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ESCAPES = str.maketrans({"\\": r"\0134", '"': r"\"", "$": r"\$", "\r": r"\r"})


def render_env_file(environment: Mapping[str, str]) -> str:
    """Render a .env file that Compose reads back as exactly these values."""
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


def render_values_file(compose: str, environment: Mapping[str, str], *, host: str = "") -> str:
    """Render the .env file of a definition: the values that it refers to, under the names that it uses for them.

    Args:
        compose: the definition.
        environment: values by name.
        host: the name or address by which the app is reached; an IPv6 address is written as in a URL.
    """
    # Only what the definition refers to: no other secret has to be in the file.
    names = {match[1] for match in _REFERENCE.finditer(compose)}
    known = {**environment, _HOST: f"[{host}]" if ":" in host else host}
    values = {name: known.get(name.removeprefix(ALIAS)) for name in names}
    return render_env_file({name: value for name, value in values.items() if value is not None})


def read_project(compose: str) -> str:
    """Return the name of a definition's project, empty where it has none."""
    document: Any = yaml.safe_load(compose)
    return str(document.get("name") or "") if isinstance(document, dict) else ""


def republish(compose: str, old: int, *, new: int) -> str:
    """Return the definition with host port `old` changed to `new`; the rest means the same."""
    document: Any = yaml.safe_load(compose)
    for service in (document.get("services") or {}).values():
        if "ports" in service:
            service["ports"] = [_republish_port(entry, old, new=new) for entry in service["ports"]]
    return str(yaml.safe_dump(document, sort_keys=False))


def _republish_port(entry: Any, old: int, *, new: int) -> Any:
    if isinstance(entry, dict):
        return {**entry, "published": str(new)} if str(entry.get("published")) == str(old) else entry
    parts = str(entry).split(":")
    if len(parts) > 1 and parts[-2] == str(old):
        parts[-2] = str(new)
        return ":".join(parts)
    return entry
