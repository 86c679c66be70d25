"""Contents of a container of anybody: ports, image and system."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OpenPort:
    """A port that something listens at; `http`: it answers HTTP."""

    port: int
    protocol: str
    process: str
    http: bool


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """Ports, the one that looks like a page, the image of the first Docker container, and the system."""

    ports: tuple[OpenPort, ...]
    web_port: int | None = None
    image: str = ""
    os: str = ""
    address: str = ""
