"""YAML writer whose output every version of YAML reads the same way.

Texts that any version of YAML might read as something else are quoted as in JSON, of
which YAML's double quotes are a superset, so no value ever spans or ends a line.
"""

from __future__ import annotations

import json
import re

from services.catalog.domain.item_files.document import Value

# Texts that no version of YAML takes for a number, a date, an operator or an alias.
_SAFE = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
# Characters that editors do not show, or that YAML takes for a line break.
_UNSEEN = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff\ue000-\uf8ff]")


def write_yaml(tree: Value) -> str:
    """Return the tree as block-style YAML, keys in their order, lines never folded."""
    lines = _write_lines(tree)
    return "\n".join(lines) + "\n"


def _write_lines(value: Value) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, child in value.items() for line in _write_pair(_write_text(key), child)]
    if isinstance(value, list) and value:
        return [line for child in value for line in _write_entry(child)]
    return [_write_scalar(value)]


def _write_pair(key: str, value: Value) -> list[str]:
    if isinstance(value, dict | list) and value:
        return [f"{key}:", *(f"  {line}" for line in _write_lines(value))]
    return [f"{key}: {_write_scalar(value)}"]


def _write_entry(value: Value) -> list[str]:
    first, *rest = _write_lines(value)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _write_scalar(value: Value) -> str:
    if isinstance(value, str):
        return _write_text(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    return json.dumps(value)


def _write_text(text: str) -> str:
    if _SAFE.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))
