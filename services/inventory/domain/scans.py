"""Containers as a scan of a host finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ScannedContainer:
    """A container; sizes in bytes, uptime in seconds.

    Attributes:
        cpus: whole ones; a limit of half a CPU counts as one.
        owner: whose marks it carries, both of them.
        named_owner: the owner that its description names, also while its tag is missing; set by GetContainer alone.
    """

    host_id: int
    host_name: str
    vmid: int
    node: str
    name: str
    status: str
    memory: float = 0.0
    memory_used: float = 0.0
    disk: float = 0.0
    disk_used: float = 0.0
    uptime: float = 0.0
    cpus: int = 0
    cpu_usage: float = 0.0
    ip_address: str = ""
    tags: tuple[str, ...] = ()
    owner: str | None = None
    named_owner: str = ""
    lock: str = ""
    template: bool = False
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HostScan:
    """Outcome of the scan of one host."""

    host_id: int
    containers: tuple[ScannedContainer, ...] = ()
    complete: bool = True
    error: str = ""
    missing_nodes: tuple[str, ...] = ()
