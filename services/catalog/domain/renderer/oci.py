"""Definition for the runtime oci: one image that is run as the container itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.catalog.domain.entities import VolumeSpec
from services.common.core.text import find_control, make_printable

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # a secret's place in the tree is outside of these


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


def find_control_faults(oci: OciDefinition) -> dict[str, str]:
    """Return faults by field of texts with control characters: Proxmox stores texts as lines of a configuration file."""
    remedy = "which an app of one image cannot have; remove it, or choose the runtime compose"
    faults = {
        f"environment.{make_printable(name)}": f"contains {found}, {remedy}"
        for name, value in oci.environment.items()
        if (found := find_control(name) or (_CONTROL.search(value) and "a line break, tab or other control"))
    }
    words = (*oci.entrypoint, *oci.command, oci.user, oci.working_dir)
    if any(_CONTROL.search(word) for word in words):
        faults["environment"] = f"puts a control character into the command, {remedy}"
    return faults


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
