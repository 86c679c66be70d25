"""One image run as the container itself: what the oci runtime is told."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.catalog.domain.entities import VolumeSpec


@dataclass(frozen=True, slots=True)
class OciDefinition:
    """An image and how to start it; empty `command` and `entrypoint` are the image's own."""

    image: str
    environment: Mapping[str, str]
    volumes: tuple[VolumeSpec, ...]
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    user: str
    working_dir: str


def build_oci(definition: Mapping[str, Any], volumes: tuple[VolumeSpec, ...]) -> OciDefinition:
    """Return the one service of an interpolated definition as an image to run."""
    (service,) = definition["services"].values()
    return OciDefinition(
        image=str(service["image"]),
        environment=_read_environment(service.get("environment")),
        volumes=volumes,
        command=_read_words(service.get("command")),
        entrypoint=_read_words(service.get("entrypoint")),
        user=str(service.get("user", "")),
        working_dir=str(service.get("working_dir", "")),
    )


def _read_environment(value: Mapping[str, Any] | list[str] | None) -> dict[str, str]:
    if isinstance(value, list):
        return {name: text for name, equals, text in (pair.partition("=") for pair in value) if equals}
    pairs = (value or {}).items()
    return {name: _render(item) for name, item in pairs if item is not None}


def _render(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_words(value: str | list[Any] | None) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(shlex.split(value))
    return tuple(str(word) for word in value or ())
