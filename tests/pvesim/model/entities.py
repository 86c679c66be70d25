"""The nouns of a Proxmox cluster. Each can be written to a dict and read back."""

from dataclasses import dataclass, field
from typing import Any, Self

from tests.pvesim.model.guests import GuestLike, GuestMaker

GIB = 1 << 30
Config = dict[str, Any]


class Record:
    """A dataclass whose fields are JSON values."""

    def to_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(**data)


@dataclass
class Node(Record):
    """One server of the cluster.

    `missing` names programs and folders it lacks, `machine` is what `uname -m` says, `devices` are those that containers
    may be given.
    """

    name: str
    cpus: int = 2
    memory: int = 24 * GIB
    memory_used: int = 4 * GIB
    disk: int = 6 * GIB
    online: bool = True
    joined: bool = True
    boot_time: int = 0
    bridges: list[str] = field(default_factory=lambda: ["vmbr0"])
    missing: list[str] = field(default_factory=list)
    fingerprint: str = ""
    address: str = "127.0.0.1"
    machine: str = "x86_64"
    devices: list[str] = field(default_factory=lambda: ["/dev/net/tun", "/dev/fuse"])
    prune: str = "keep-all=1"
    """`prune-backups` of its /etc/vzdump.conf, for storages without a retention of their own."""


@dataclass
class Storage(Record):
    """An entry of storage.cfg. `nodes` empty: on every node.

    `settings` are further ones as storage.cfg names them: server, export, share, datastore, namespace.
    """

    name: str
    type: str = "dir"
    content: list[str] = field(default_factory=list)
    path: str = ""
    shared: bool = False
    nodes: list[str] = field(default_factory=list)
    prune: str = ""
    total: int = 6 * GIB
    base_used: int = 0
    enabled: bool = True
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def is_backup_server(self) -> bool:
        """A Proxmox Backup Server: archives are named by their time, not by a file."""
        return self.type == "pbs"

    @property
    def has_snapshots(self) -> bool:
        """Whether volumes here can be frozen."""
        return self.type in {"btrfs", "lvmthin", "zfspool", "rbd"}

    @property
    def is_file_based(self) -> bool:
        """Whether volumes here are files with an extension."""
        return self.type in {"dir", "nfs", "cifs", "btrfs", "cephfs"}


@dataclass
class Volume(Record):
    """Something a storage holds: a disk, a template, a backup archive."""

    storage: str
    name: str
    node: str
    content: str
    size: int
    format: str
    ctime: int
    vmid: int | None = None
    used: int = 0
    protected: bool = False
    notes: str | None = None
    config: str = ""
    guest: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    filesystem: int = 0
    """Bytes up to which the file system reaches when it did not grow with the volume; 0: all of it."""
    verification: str = ""
    """Of a Proxmox Backup Server: ok or failed; empty: never verified."""
    encrypted: str = ""
    """Fingerprint of the key, of an archive on a Proxmox Backup Server."""
    readable: float = 1.0
    """Share of an archive that is there, from its beginning: less when it was truncated."""

    @property
    def key(self) -> str:
        """What makes it unique: the node (empty for shared storages) and the id."""
        return f"{self.node}|{self.storage}:{self.name}"

    @property
    def volid(self) -> str:
        return f"{self.storage}:{self.name}"


@dataclass
class Snapshot(Record):
    """A container's configuration and inside as they were."""

    name: str
    time: int
    description: str
    config: Config
    parent: str | None = None
    guest: dict[str, Any] | None = None


@dataclass
class Container:
    """One container: its configuration, what waits for a reboot, its snapshots, its inside.

    `ha_seconds` is how long the HA manager takes to act on it, None where it does not look after it; `ha_state` is
    what was requested of it last. `interfaces` are those that programs inside made or changed, besides what the configuration gives.
    """

    vmid: int
    node: str
    config: Config
    pending: dict[str, Any] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    running: bool = False
    started_at: float = 0
    created_at: float = 0
    pid: int = 0
    guest: GuestLike | None = None
    image: dict[str, Any] | None = None
    interfaces: list[dict[str, Any]] = field(default_factory=list)
    ha_seconds: float | None = None
    ha_state: str = ""

    @property
    def lock(self) -> str | None:
        return self.config.get("lock")

    def to_dict(self) -> dict[str, Any]:
        data = dict(self.__dict__)
        data["snapshots"] = {name: one.to_dict() for name, one in self.snapshots.items()}
        data["guest"] = self.guest.to_dict() if self.guest else None
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any], guests: GuestMaker) -> Self:
        data = dict(data)
        snapshots = {name: Snapshot.from_dict(one) for name, one in data.pop("snapshots", {}).items()}
        inside = data.pop("guest", None)
        guest = guests.from_dict(inside) if inside else None
        return cls(**data, snapshots=snapshots, guest=guest)


@dataclass
class Machine(Record):
    """A virtual machine of somebody: it is only there, with its id and its addresses."""

    vmid: int
    node: str
    config: Config = field(default_factory=dict)
    running: bool = False
    interfaces: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Task(Record):
    """A piece of work that goes on after the answer."""

    upid: str
    node: str
    type: str
    id: str
    user: str
    starttime: int
    pid: int
    pstart: int
    lines: list[str] = field(default_factory=list)
    endtime: int | None = None
    exitstatus: str | None = None
    recovery: dict[str, Any] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.endtime is None

    def log(self, *lines: str) -> None:
        """Add lines to the task's log."""
        self.lines.extend(lines)


@dataclass
class User(Record):
    """An account; passwords are kept as the simulator got them: nothing here is secret."""

    userid: str
    password: str = ""
    enable: int = 1
    expire: int = 0
    comment: str = ""
    email: str = ""


@dataclass
class Token(Record):
    """An API token of a user."""

    userid: str
    tokenid: str
    secret: str
    privsep: int = 1
    expire: int = 0
    comment: str = ""

    @property
    def full(self) -> str:
        return f"{self.userid}!{self.tokenid}"


@dataclass
class Acl(Record):
    """A role given to a user or token on a path."""

    path: str
    ugid: str
    type: str
    role: str
    propagate: int = 1

    @property
    def key(self) -> str:
        return f"{self.path}|{self.type}|{self.ugid}|{self.role}"


@dataclass
class Pool(Record):
    """A named group of guests and storages."""

    poolid: str
    comment: str = ""
    vms: list[int] = field(default_factory=list)
    storages: list[str] = field(default_factory=list)
