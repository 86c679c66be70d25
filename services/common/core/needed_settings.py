"""Settings that only work together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


def find_incomplete(kind: type[Any], source: Mapping[str, str]) -> list[str]:
    """Name each variable that is set without another one that it needs."""
    return [
        f"{metadata['name']}: is set without {' or '.join(needed)}; set both, or neither"
        for metadata in (field.metadata for field in dataclasses.fields(kind) if "name" in field.metadata)
        for needed in metadata["needs"]
        if _is_set(metadata["name"], source) and not any(_is_set(name, source) for name in needed)
    ]


def _is_set(name: str, source: Mapping[str, str]) -> bool:
    return bool(source.get(name) or source.get(f"{name}_FILE"))
