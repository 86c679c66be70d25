"""Backups and what is known of apps, containers and archives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MIB = 1 << 20
GIB = 1 << 30


class BackupStatus(StrEnum):
    """How a backup stands."""

    CREATING = "creating"
    COMPLETED = "completed"
    FAILED = "failed"
    RESTORING = "restoring"
    DELETING = "deleting"
    MISSING = "missing"  # its archive is gone from the storage


IN_USE = frozenset({BackupStatus.CREATING, BackupStatus.RESTORING, BackupStatus.DELETING})


@dataclass(frozen=True, kw_only=True)
class BackupOrder:
    """What a person asks for: Proxmox's mode and compression, a storage or the best one, a note."""

    backup_type: str = "snapshot"
    compression: str = "zstd"
    storage: str = ""
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup of an app.

    Attributes:
        mark: written into the archive's notes, so that an archive can be found whose name was never learned.
        volume_id: Proxmox's name of the archive; empty until it is known.
        size: bytes.
        progress: 0-100 while it is made.
        expected_s: seconds that the app's backup before took; None when there is none.
        left_out: volumes of the container that are not in the archive, as texts for people.
        app_removed_at: when the app went; the backup outlives it.
        app_name: of the app when the backup was made; empty for those of earlier releases.
    """

    id: int
    app_id: str
    owner_id: int
    host_id: int
    vmid: int
    order: BackupOrder
    mark: str
    status: BackupStatus
    created_at: datetime
    updated_at: datetime
    volume_id: str = ""
    file_name: str = ""
    storage: str = ""
    size: int = 0
    error: str = ""
    protected: bool = False
    notes: str = ""
    progress: int | None = None
    expected_s: int | None = None
    left_out: tuple[str, ...] = ()
    completed_at: datetime | None = None
    app_removed_at: datetime | None = None
    app_name: str = ""

    @property
    def is_in_use(self) -> bool:
        """Whether an operation on it is under way."""
        return self.status in IN_USE


@dataclass(frozen=True)
class BackupFilter:
    """Which backups to list; None for all."""

    owner_id: int | None = None
    app_id: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class BackupCount:
    """How many backups an app has, and how many of them are protected."""

    app_id: str
    total: int
    protected: int


@dataclass(frozen=True)
class BackupStats:
    """Counts of an app's backups; `total_size` in bytes, of the completed ones."""

    total: int
    completed: int
    failed: int
    in_progress: int
    total_size: int
    missing: int = 0

    @property
    def average_size(self) -> float:
        """Bytes of a completed backup on average; 0 without any."""
        return self.total_size / self.completed if self.completed else 0.0


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """An app as apps describes it.

    Attributes:
        status: the one before the operation that locks it.
        storage: where its root disk was put by request; empty: anywhere.
    """

    app_id: str
    name: str
    status: str
    host_id: int
    vmid: int
    node: str
    owner_id: int
    operation_id: str = ""
    storage: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgressReport:
    """How far an operation is, for the app's users; `progress` 0-100; `upid` of the Proxmox task of the step."""

    progress: int
    step: str
    description: str
    step_index: int
    step_count: int
    message: str = ""
    level: str = "info"
    attempt: int = 1
    worker: str = ""
    upid: str = ""


@dataclass(frozen=True)
class Place:
    """Where a container is: the key is host and vmid, the node a hint."""

    host_id: int
    vmid: int
    node: str


@dataclass(frozen=True)
class Task:
    """A Proxmox task; without upid it had nothing to do and is done, with `result` what it found."""

    host_id: int
    node: str
    upid: str
    result: str = ""


@dataclass(frozen=True)
class TaskUpdate:
    """Progress of a task, also a heartbeat without news; the last has `done` set.

    Attributes:
        result: the volume id of the archive that it makes, as soon as its log names it.
        may_pass: it failed for a reason that passes.
        reason: why it failed.
    """

    percent: int | None
    done: bool
    succeeded: bool
    exit_status: str
    result: str
    may_pass: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Archive:
    """An archive on a storage; `size` in bytes; of the notes perhaps only the first line."""

    volume_id: str
    storage: str
    file_name: str
    size: int
    notes: str

    def has_mark(self, mark: str) -> bool:
        """Whether a line of its notes names the backup with this mark."""
        return f"proximity-backup: {mark}" in self.notes.splitlines()


@dataclass(frozen=True)
class UnarchivedVolume:
    """A volume that an archive lacks: its key (mp0), and a description for people."""

    key: str
    description: str


@dataclass(frozen=True)
class AppProbe:
    """Whether an app answers; `grace_s` seconds is what it may take after a start."""

    answered: bool
    port: int = 0
    grace_s: int = 0
    message: str = ""


@dataclass(frozen=True)
class BesideOrder:
    """A new app made of an archive, beside the one that it was made of; `made_by` is the operation that backed up.

    Host, vmid and owner are those of the backup: what is left to know of an app that is gone.
    """

    operation_id: str
    source_app_id: str
    archive: str
    new_hostname: str
    made_by: str = ""
    host_id: int = 0
    vmid: int = 0
    owner_id: int = 0


@dataclass(frozen=True)
class BesideStarted:
    """The new app, and what to tell the person who asked."""

    app_id: str
    message: str


@dataclass(frozen=True)
class OperationStanding:
    """How an operation stands: unknown, unfinished, succeeded or failed."""

    status: str
    updated_at: datetime | None = None
