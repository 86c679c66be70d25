"""Ports of containers: outcomes of probes, and the choice of the port that is the app's page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

USUAL_WEB_PORTS = (80, 8080, 3000, 8000, 443, 8443, 5000, 9000)
_NO_WEB = {22, 25, 53, 111, 3306, 5432, 6379, 27017, 11211}


@dataclass(frozen=True)
class PortProbe:
    """Whether a port answered.

    Attributes:
        reached: whether the address answered at all, if only by refusing the connection.
    """

    answered: bool
    address: str = ""
    http_status: int | None = None
    message: str = ""
    reached: bool = True


@dataclass(frozen=True)
class Listening:
    """A listening port, its program, and whether it answers HTTP."""

    port: int
    protocol: str
    process: str
    http: bool


@dataclass(frozen=True)
class Inspection:
    """Programs and ports inside a running container."""

    ports: tuple[Listening, ...]
    web_port: int | None
    image: str
    os: str
    ip_address: str


def parse_listeners(text: str) -> list[tuple[int, str]]:
    """Parse ports and processes from the output of `ss -Htlnp` or `netstat -tlnp`; those on loopback alone are left out."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        match = re.search(r"(?:^|\s)(\S+):(\d+)\s+\S+:\*", line)
        if not match or match.group(1) in {"127.0.0.1", "[::1]", "::1"}:
            continue
        program = re.search(r'\(\("([^"]+)"|\b\d+/(\S+)', line)
        found.setdefault(int(match.group(2)), (program.group(1) or program.group(2) or "") if program else "")
    return sorted(found.items())


def choose_web_port(ports: Sequence[int], http: set[int]) -> int | None:
    """Return the port of the app's page: one that answers HTTP, usual ones first; else a usual one that listens."""
    usual = {port: rank for rank, port in enumerate(USUAL_WEB_PORTS)}
    for group in (
        sorted(http),
        [port for port in ports if port in usual],
        [p for p in ports if p not in _NO_WEB],
    ):
        if group:
            return min(group, key=lambda port: (usual.get(port, len(usual)), port))
    return None
