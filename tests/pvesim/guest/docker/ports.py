"""The `ports` of a service: short and long syntax, ranges, addresses."""

import re
from collections.abc import Iterator
from typing import Any

from tests.pvesim.guest.docker.state import DockerError, Port

SHORT = re.compile(
    r"(?:(?:(?P<ip>\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):)?(?P<published>\d+(?:-\d+)?)?:)?"
    r"(?P<target>\d+(?:-\d+)?)(?:/(?P<proto>tcp|udp|sctp))?",
)
FIRST_FREE = 32768
MAX_PORT = 65535


def read_ports(service: str, entries: list[Any]) -> Iterator[Port]:
    """The published ports.

    Raises:
        DockerError: an entry is none.
    """
    for entry in entries:
        if isinstance(entry, dict):
            yield from _read_long(service, entry)
        else:
            yield from read_short(str(entry), where=f"services.{service}.ports")


def read_short(text: str, *, where: str = "ports") -> Iterator[Port]:
    """`[[ip:]published:]target[/proto]`, ranges too."""
    match = SHORT.fullmatch(text)
    if not match:
        raise DockerError(f"{where}: invalid hostPort or containerPort: {text}")
    targets = _read_range(match["target"], where)
    published = _read_range(match["published"], where) if match["published"] else range(0)
    if published and len(published) != len(targets):
        raise DockerError(f"{where}: invalid ranges specified for container and host ports: {text}")
    for index, target in enumerate(targets):
        port = published[index] if published else FIRST_FREE + target % 10_000
        yield Port(target, port, match["proto"] or "tcp", match["ip"] or "0.0.0.0")


def _read_long(service: str, entry: dict[str, Any]) -> Iterator[Port]:
    unknown = set(entry) - {"target", "published", "protocol", "mode", "host_ip", "name", "app_protocol"}
    if unknown:
        raise DockerError(f"services.{service}.ports.0 additional properties '{min(unknown)}' not allowed")
    if "target" not in entry:
        raise DockerError(f"services.{service}.ports: missing property 'target'")
    target = int(entry["target"])
    published = (
        int(str(entry["published"]).split("-")[0]) if entry.get("published") else FIRST_FREE + target % 10_000
    )
    yield Port(target, published, str(entry.get("protocol") or "tcp"), str(entry.get("host_ip") or "0.0.0.0"))


def _read_range(text: str, where: str) -> range:
    first, _, last = text.partition("-")
    found = range(int(first), int(last or first) + 1)
    if not found or found[-1] > MAX_PORT:
        raise DockerError(f"{where}: invalid port range: {text}")
    return found
