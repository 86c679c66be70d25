"""Archives of containers and the storages that have them, as inventory describes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class NewArchive:
    """An archive to make of a container.

    Attributes:
        mode: snapshot, suspend or stop.
        compression: zstd, gzip or lzo.
        storage: empty: the storage for backups with most free space.
        backup_id: written into the notes, by which a repeated call finds its archive.
    """

    mode: str
    compression: str
    storage: str
    notes: str
    backup_id: str


@dataclass(frozen=True)
class Archive:
    """An archive on a storage; `size` in bytes; of the notes perhaps only the first line.

    `verification` is that of a Proxmox Backup Server: ok, failed or, when it has not verified the archive, empty.
    """

    volume_id: str
    storage: str
    file_name: str
    size: int
    notes: str
    verification: str = ""
    encrypted: bool = False
    vmid: int = 0
    created_at: datetime | None = None
    protected: bool = False

    # The file name carries no id of ours: Proxmox chooses it from vmid and time. The line is the first of the notes, since
    # listings of file storages have no other.
    def has_backup_id(self, backup_id: str) -> bool:
        """Whether a line of its notes names the backup with this id."""
        return f"proximity-backup: {backup_id}" in self.notes.splitlines()

    @property
    def is_external(self) -> bool:
        """Whether its notes do not name a backup of the platform."""
        return not any(line.startswith("proximity-backup: ") for line in self.notes.splitlines())


@dataclass(frozen=True)
class ArchiveListing:
    """Archives of a container; an archive that is missing may still exist unless every storage answered (`complete`)."""

    archives: tuple[Archive, ...]
    # A storage that is away takes its archives out of the list: who deleted records then would lose backups.
    complete: bool


@dataclass(frozen=True, kw_only=True)
class BackupStorage:
    """A storage as a node of a host sees it; sizes in bytes, 0 where Proxmox does not say.

    Attributes:
        max_archives: archives of a container after which Proxmox refuses another; 0: no limit.
    """

    name: str
    node: str
    shared: bool = False
    takes_backups: bool = True
    available: bool = True
    total: float = 0
    used: float = 0
    # From `prune-backups` of the storage: vzdump that may not prune (remove=0) fails at the limit.
    max_archives: int = 0


@dataclass(frozen=True, kw_only=True)
class NewNetwork:
    """The one network device of a container that is made of an archive of another platform; as in `NewContainer`."""

    bridge: str = ""
    network_cidr: str = ""
    gateway: str = ""
    vlan: int = 0
    nameservers: tuple[str, ...] = ()
    oci: bool = False


@dataclass(frozen=True, kw_only=True)
class ArchiveCheckOutcome:
    """Outcome of reading an archive: intact, broken or not_checked; the reason of the last two, and the node."""

    status: str
    reason: str = ""
    node: str = ""


@dataclass(frozen=True)
class RunningBackup:
    """A vzdump that runs on a node, also by others than the platform; `vmid` 0: a job over several guests."""

    node: str
    upid: str
    vmid: int
    user: str


@dataclass(frozen=True)
class ContainerVolume:
    """A volume of a container: its key (mp0), and a description for people."""

    key: str
    description: str


@dataclass(frozen=True)
class VolumeComparison:
    """Volumes of a container that an archive replaces, and those that a restore over it would destroy."""

    overwritten: tuple[ContainerVolume, ...] = ()
    destroyed: tuple[ContainerVolume, ...] = ()
