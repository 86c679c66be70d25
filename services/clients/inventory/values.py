"""Containers, archives and tasks as inventory describes them, and what callers request of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Ref:
    """Place of a container; the key is (host_id, vmid), the node a hint."""

    host_id: int
    vmid: int
    # Administrators and the HA manager move containers: a node that was stored may be out of date at any time.
    node: str = ""


@dataclass(frozen=True)
class Task:
    """A Proxmox task; with an empty upid there was nothing to do."""

    host_id: int
    node: str
    upid: str
    result: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskProgress:
    """Progress of a task, also a heartbeat without news; the last has `done` set.

    Attributes:
        percent: 0-100; None when the task does not say.
        lines: new lines of its log.
        result: what it makes: the volume id of an archive as soon as its log names it.
        reason: why it failed.
        may_pass: it failed for a reason that passes; another task may succeed.
        held_up: it failed because of a lock or a missing quorum.
    """

    # Only some of Proxmox's tasks write percentages into their logs, and none has a field for them.
    percent: int | None = None
    lines: tuple[str, ...] = ()
    done: bool = False
    succeeded: bool = False
    exit_status: str = ""
    result: str = ""
    reason: str = ""
    may_pass: bool = False
    held_up: bool = False


class TaskKind(StrEnum):
    """Kind of a Proxmox task, by Proxmox's name for it."""

    CREATE = "vzcreate"
    CLONE = "vzclone"
    RESTORE = "vzrestore"
    BACKUP = "vzdump"
    START = "vzstart"
    STOP = "vzstop"
    SHUTDOWN = "vzshutdown"
    REBOOT = "vzreboot"
    MIGRATE = "vzmigrate"
    HA_MIGRATE = "hamigrate"
    OTHER = "other"

    # A newer Proxmox may name kinds that this release does not know: such a task is still followed.
    @classmethod
    def _missing_(cls, _: object) -> TaskKind:
        return cls.OTHER


@dataclass(frozen=True)
class ContainerTask:
    """A task that runs on a container."""

    kind: TaskKind
    task: Task


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Requirements on a place for a container.

    Attributes:
        network_cidr: a static address, `static` for any of the network; empty: DHCP.
        any_network: also networks and addresses that users may not choose.
        owner: the app that a chosen address is reserved for.
        architectures: that the images are for, as Docker names them; empty: not known.
        devices: of the node that the container gets.
    """

    host_id: int | None = None
    node: str = ""
    memory: int = 0
    disk_size: int = 0
    storage: str = ""
    oci: bool = False
    bridge: str = ""
    vlan: int = 0
    network_cidr: str = ""
    any_network: bool = False
    owner: str = ""
    architectures: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The place chosen; `architecture` is that of the node, empty where Proxmox does not say."""

    host_id: int
    node: str
    oci: bool
    oci_reason: str = ""
    exec_mode: str = ""
    bridge: str = ""
    gateway: str = ""
    architecture: str = ""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The settings that a deployment takes its defaults from: MB, cores, GB, MB."""

    memory: int
    cores: int
    disk_size: int
    swap: int
    bridge: str
    gateway: str
    nameservers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NewContainer:
    """A container to create."""

    hostname: str
    memory: int
    swap: int
    cores: int
    disk_size: int
    template: str
    storage: str
    network_cidr: str
    bridge: str
    gateway: str
    nameservers: tuple[str, ...]
    docker: bool
    oci: bool
    # Hidden in `repr`, which ends in logs and error reports: values of apps are often secrets.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    entrypoint: str = ""
    mounts: tuple[tuple[str, int], ...] = ()
    note: str = ""
    vlan: int = 0
    password: str = field(default="", repr=False)
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContainerChanges:
    """Changes of a container's configuration; None or empty: as it is.

    Attributes:
        disk_gb: least size of the root disk, which never shrinks.
        environment: variables to set.
        dropped_variables: names of variables to remove.
    """

    memory_mb: int | None = None
    cores: int | None = None
    disk_gb: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    dropped_variables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container as it is now: bytes, seconds, cpu 0-1.

    Attributes:
        mounts: the paths of its mount points, where `get_container` read them; None: not known.
        bare: it has no disk, as an interrupted creation leaves it, where `get_container` read it.
        named_owner: the app that its description names, also while its tag is missing, where `get_container` read it.
    """

    host_id: int
    vmid: int
    node: str
    name: str
    status: str
    memory: float = 0
    memory_used: float = 0
    disk: float = 0
    disk_used: float = 0
    uptime: float = 0
    cpus: int = 0
    cpu_usage: float = 0
    address: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    lock: str = ""
    template: bool = False
    # From the configuration, which a list of all containers lacks: Proxmox has one call per container for it.
    mounts: tuple[str, ...] | None = None
    bare: bool = False
    named_owner: str = ""


@dataclass(frozen=True)
class Scan:
    """Containers of all hosts that answered.

    Attributes:
        containers: found.
        complete: hosts that answered completely.
        skipped: hosts that did not.
        silent: why, of hosts that answered nothing at all.
        missing_nodes: nodes that did not answer: the marks of what is on them are not known.
    """

    containers: tuple[Container, ...]
    complete: frozenset[int]
    skipped: tuple[int, ...] = ()
    # A host that did not answer says nothing about its containers: nobody may take them for missing.
    silent: Mapping[int, str] = field(default_factory=dict)
    missing_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class NodeCapacity:
    """Capacity and usage of a node, as it was read last; sizes in bytes, `cpu_usage` 0-1."""

    host_id: int
    host_name: str
    name: str
    status: str
    cpu_count: int
    cpu_usage: float
    memory_total: float
    memory_used: float
    storage_total: float
    storage_used: float
    # None: never read since the host was added.
    last_updated: datetime | None = None


@dataclass(frozen=True)
class Probe:
    """Whether a port answered."""

    answered: bool
    address: str
    message: str
