"""Parts of a compose definition: ports, mounts, variables and images."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.domain.item_files.document import Value

_PORT = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9]+(?:\.[0-9]+){3}):)?(?:(?P<published>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>[A-Za-z]+))?"
)
_PROTOCOLS = frozenset({"tcp", "udp"})
_MAX_RANGE = 200  # ports; TURN servers and PBXs open a hundred


class InvalidComposeError(ValueError):
    """A port or mount is written in a way compose does not read."""


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of a service and where compose publishes it (None: compose chooses)."""

    target: int
    published: int | None
    protocol: str
    host_ip: str = field(default="", compare=False)

    @property
    def is_loopback(self) -> bool:
        """Whether only the container itself reaches it."""
        return self.host_ip == "::1" or self.host_ip.startswith("127.")


@dataclass(frozen=True, slots=True)
class Mount:
    """Something mounted into a service. `kind` is volume, bind or tmpfs."""

    kind: str
    source: str
    target: str
    read_only: bool


def parse_ports(entries: Value) -> list[PublishedPort]:
    """Read the `ports` of a service in short or long form; ranges become single ports.

    Raises:
        InvalidComposeError: not a port, or a range of more than 200.
    """
    ports: list[PublishedPort] = []
    for entry in entries or []:
        ports += _parse_long_port(entry) if isinstance(entry, dict) else _parse_short_port(str(entry))
    return ports


def _parse_long_port(entry: Mapping[str, Any]) -> list[PublishedPort]:
    published = str(entry.get("published", ""))
    if host := str(entry.get("host_ip", "")):
        published = f"[{host}]:{published}" if ":" in host else f"{host}:{published}"
    return _parse_short_port(
        f"{published}:{entry.get('target')}/{entry.get('protocol', 'tcp')}"
        if published
        else f"{entry.get('target')}/{entry.get('protocol', 'tcp')}"
    )


def _parse_short_port(text: str) -> list[PublishedPort]:
    match = _PORT.fullmatch(text)
    if match is None:
        raise InvalidComposeError(f"{text!r} is not a port")
    targets = _expand_range(match["target"])
    published = _expand_range(match["published"]) if match["published"] else []
    if len(targets) == 1:
        published = published[:1]  # compose would choose one of the range
    if published and len(published) != len(targets):
        raise InvalidComposeError(f"{text!r} maps {len(published)} ports to {len(targets)}")
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise InvalidComposeError(f"{text!r} is a port of {protocol}; only tcp and udp are published")
    return [
        PublishedPort(
            target, published[index] if published else None, protocol, (match["ip"] or "").strip("[]")
        )
        for index, target in enumerate(targets)
    ]


def _expand_range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    low, high = int(first or 0), int(last or first or 0)
    if not 1 <= low <= high <= 65_535 or high - low >= _MAX_RANGE:
        raise InvalidComposeError(
            f"{text!r} is not a port between 1 and 65535 or a range of at most {_MAX_RANGE}"
        )
    return list(range(low, high + 1))


def parse_mounts(entries: Value) -> list[Mount]:
    """Read the `volumes` of a service in short or long form.

    Raises:
        InvalidComposeError: a mount without a place in the container.
    """
    return [
        _parse_long_mount(entry) if isinstance(entry, dict) else _parse_short_mount(str(entry))
        for entry in entries or []
    ]


def _parse_long_mount(entry: Mapping[str, Any]) -> Mount:
    source = str(entry.get("source", ""))
    return Mount(str(entry["type"]), source, str(entry["target"]), is_on(entry.get("read_only", False)))


def _parse_short_mount(text: str) -> Mount:
    parts = split_mount(text)
    if len(parts) > 3 or not all(parts):
        raise InvalidComposeError(f"{text!r} is not a mount")
    if len(parts) == 1:
        return Mount("volume", "", parts[0], read_only=False)
    source, target = parts[0], parts[1]
    kind = "bind" if source.startswith((".", "/", "~")) or "$" in source[:2] else "volume"
    return Mount(kind, source, target, read_only=len(parts) == 3 and "ro" in parts[2].split(","))


def split_mount(text: str) -> list[str]:
    """Split a short mount at its colons, leaving those inside `${...}` alone."""
    parts, depth, current = [], 0, ""
    for position, character in enumerate(text):
        if character == "{" and text[position - 1 : position] == "$":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        if character == ":" and not depth:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def read_pairs(value: Mapping[str, Any] | list[str] | None) -> dict[str, Any]:
    """Read `environment` or `labels` in either of the forms compose takes."""
    if isinstance(value, list):
        return {
            key: text if equals else None for key, equals, text in (pair.partition("=") for pair in value)
        }
    return dict(value or {})


def list_passed_variables(compose: Mapping[str, Any]) -> set[str]:
    """Return the variables that services take over by their names alone (`- NAME`)."""
    return {
        name
        for service in compose["services"].values()
        for name, value in read_pairs(service.get("environment")).items()
        if value is None
    }


def fill_passed_variables(compose: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return a definition whose services refer to the known ones of their passed variables and lack the others."""
    services = {}
    for name, service in compose["services"].items():
        pairs = read_pairs(service.get("environment"))
        services[name] = service
        if None in pairs.values():
            filled = {key: f"${{{key}}}" if value is None else value for key, value in pairs.items()}
            present = {key: value for key, value in filled.items() if pairs[key] is not None or key in known}
            services[name] = {**service, "environment": present}
    return {**compose, "services": services}


def is_on(value: object) -> bool:
    """Return whether Compose could read the value as true: any value but a clear no."""
    return value not in (False, None) and str(value).lower() not in {"false", "no", "off", "n", "0", ""}


def list_images(compose: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the images of all services, each once, in order."""
    services = compose["services"].values()
    return tuple(dict.fromkeys(str(service["image"]) for service in services if "image" in service))
