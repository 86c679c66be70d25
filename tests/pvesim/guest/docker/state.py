"""What Docker remembers: images, containers, volumes, networks."""

from dataclasses import asdict, dataclass, field
from typing import Any

VOLUMES = "/var/lib/docker/volumes"
LAYERS = "/var/lib/docker/containers"


class DockerError(Exception):
    """Docker refuses; the text is what it prints."""


@dataclass(slots=True)
class Port:
    """A published port."""

    target: int
    published: int
    proto: str = "tcp"
    ip: str = "0.0.0.0"


@dataclass(slots=True)
class Mount:
    """A directory or file of the guest at `target` in the container."""

    source: str
    target: str
    kind: str = "bind"
    name: str = ""
    read_only: bool = False


@dataclass(slots=True)
class Container:
    """A container; `state` is created, running, exited or restarting."""

    name: str
    image: str
    id: str = ""
    project: str = ""
    service: str = ""
    state: str = "created"
    exit_code: int = 0
    started_at: float = 0.0
    ready_at: float = 0.0
    restart: str = "no"
    stopped_by_hand: bool = False
    network_mode: str = ""
    has_health: bool = False
    silent: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    logged_at: list[float] = field(default_factory=list)
    config_hash: str = ""

    def say(self, line: str, *, at: float) -> None:
        """Write a line of output at a time in seconds since the epoch."""
        self.logs.append(line)
        self.logged_at.append(at)

    def is_up(self) -> bool:
        return self.state == "running"

    def health(self, now: float) -> str:
        """ "", "starting" or "healthy"."""
        if not self.has_health or not self.is_up():
            return ""
        return "healthy" if now >= self.ready_at and not self.silent else "starting"

    def layer(self) -> str:
        """Where its own files are in the guest."""
        return f"{LAYERS}/{self.id}/rootfs"

    def data_dir(self) -> str:
        """Its first volume in the guest that is not a mounted file, or a directory of its own."""
        writable = [m for m in self.mounts if not m.read_only and not m.source.endswith(".sock")]
        return writable[0].source if writable else f"{self.layer()}/data"


@dataclass(slots=True)
class DockerState:
    """Everything that survives a restart of the daemon."""

    images: dict[str, str] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "DockerState":
        containers = {name: _parse_container(fields) for name, fields in data["containers"].items()}
        return cls(dict(data["images"]), containers, dict(data["volumes"]), list(data["networks"]))

    def of_project(self, project: str) -> list[Container]:
        """A compose project's containers."""
        return [c for c in self.containers.values() if c.project == project]


def _parse_container(fields: dict[str, Any]) -> Container:
    ports = [Port(**port) for port in fields["ports"]]
    mounts = [Mount(**mount) for mount in fields["mounts"]]
    return Container(**{**fields, "ports": ports, "mounts": mounts})
