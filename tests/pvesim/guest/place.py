"""What a guest is given and what it remembers of services and image."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Place:
    """What the host gives a container; set by the API side before boot, not part of the guest's own data.

    `key` names the guest in records and faults (unique per simulation). `memory` is in MiB.
    """

    key: str = ""
    vmid: int = 0
    address: str | None = None
    nesting: bool = False
    keyctl: bool = False
    unprivileged: bool = True
    cores: int = 1
    memory: int = 512
    devices: tuple[str, ...] = ()


@dataclass(slots=True)
class Service:
    """A system service's state."""

    enabled: bool = False
    running: bool = False
    ready_at: float = 0.0


@dataclass(slots=True)
class Entrypoint:
    """What an image's container runs."""

    image: str
    env: dict[str, str] = field(default_factory=dict)
    command: str | None = None
    started_at: float = 0.0
    silent: bool = False
