"""Settings that a deployment may make in `config`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.common.core.errors import InvalidError, Violation
from services.common.core.text import refuse_choice, show_value, suggest

_NUMBERS = {
    "memory": (64, 524_288),
    "cores": (1, 128),
    "disk_size": (1, 10_240),
    "swap": (0, 32_768),
    "port": (1, 65_535),
    "vlan": (1, 4094),
}
_TEXTS = {"ostemplate": 300, "storage": 100, "image": 300, "bridge": 15}
# A storage as Proxmox names them; a template by its file, with or without its storage (local:vztmpl/debian-13.tar.zst).
_PATTERNS = {
    "bridge": re.compile(r"[A-Za-z][A-Za-z0-9_.-]*"),
    "storage": re.compile(r"[A-Za-z][A-Za-z0-9._-]*"),
    "ostemplate": re.compile(r"[A-Za-z0-9](?!.*\.\.)[A-Za-z0-9._:/+~-]*"),
}
_CHOICES = {"runtime": ("compose", "oci", "auto"), "network": ("dhcp", "static")}
KEYS = (*_NUMBERS, *_TEXTS, *_CHOICES)
_PARSERS: Mapping[str, Callable[[Any], object]] = {key: int if key in _NUMBERS else str for key in KEYS}


def split_record(
    record: Mapping[str, Any],
    parsers: Mapping[str, Callable[[Any], object]],
    *,
    is_set: Callable[[Any], bool],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a stored record into what this release knows and is set, parsed, and what a later one has stored."""
    known = {
        name: parsers[name](value) for name, value in record.items() if name in parsers and is_set(value)
    }
    return known, {name: value for name, value in record.items() if name not in parsers}


@dataclass(frozen=True, kw_only=True)
class ContainerLimits:
    """Resources of a container: MB, cores, GB, MB."""

    memory: int
    cores: int
    disk_size: int
    swap: int


@dataclass(frozen=True, kw_only=True)
class AppConfig:
    """Settings of an app's container; None or empty: not set.

    Attributes:
        memory, swap: MB.
        disk_size: GB of the root disk.
        port: that an image listens at, where the catalog item does not say.
        ostemplate: volume or file name of the template.
        network: dhcp or static.
        runtime: compose, oci or, in a request, auto.
        unknown: settings that a later release has stored; written back as they are.
    """

    memory: int | None = None
    cores: int | None = None
    disk_size: int | None = None
    swap: int | None = None
    port: int | None = None
    vlan: int | None = None
    ostemplate: str = ""
    storage: str = ""
    image: str = ""
    bridge: str = ""
    runtime: str = ""
    network: str = ""
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> AppConfig:
        """Parse settings as they are stored, which were valid when they were given."""
        known, unknown = split_record(record, _PARSERS, is_set=lambda value: value is not None)
        return cls(**known, unknown=unknown)

    def to_json(self) -> dict[str, Any]:
        """Render the settings for the database and for clients, without those that are not set."""
        values = ((name, getattr(self, name)) for name in KEYS)
        return {**self.unknown, **{name: value for name, value in values if value not in (None, "")}}

    @property
    def requested_runtime(self) -> str:
        """Requested runtime: compose, oci, or empty for the one that suits."""
        return "" if self.runtime == "auto" else self.runtime


def parse_config(raw: Mapping[str, Any]) -> AppConfig:
    """Parse the `config` of a deployment.

    Raises:
        InvalidError: with a violation for every key that is unknown or out of its range.
    """
    violations: list[Violation] = []
    values: dict[str, Any] = {}
    for key, value in raw.items():
        fault = _find_fault(key, value)
        if fault:
            violations.append(Violation(f"config.{key}", fault))
        elif value is not None:
            values[key] = int(value) if key in _NUMBERS else value
    if violations:
        raise InvalidError(f"{violations[0].field}: {violations[0].description}", violations=violations)
    return AppConfig(**values)


def _find_fault(key: str, value: object) -> str:
    if key not in KEYS:
        return f"is not known; {suggest(key, KEYS)}"
    if value is None:
        return ""
    if key in _NUMBERS:
        low, high = _NUMBERS[key]
        return _find_number_fault(value, low, high=high)
    if not isinstance(value, str):
        return f"{show_value(value)} is not text"
    if key in _CHOICES:
        return "" if value in _CHOICES[key] else f"{show_value(value)} {refuse_choice(value, _CHOICES[key])}"
    return _find_text_fault(key, value)


def _find_text_fault(key: str, value: str) -> str:
    if not 0 < len(value) <= _TEXTS[key]:
        return f"must have 1 to {_TEXTS[key]} characters, not {len(value)}"
    if key in _PATTERNS and not _PATTERNS[key].fullmatch(value):
        return f"{show_value(value)} is no {key} of Proxmox"
    return ""


def _find_number_fault(value: object, low: int, *, high: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{show_value(value)} is not a whole number from {low} to {high}"
    if not math.isfinite(value) or value != int(value):
        return f"{show_value(value)} is not a whole number from {low} to {high}"
    return "" if low <= value <= high else f"{show_value(value)} is not between {low} and {high}"
