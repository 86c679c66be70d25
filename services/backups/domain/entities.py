"""Backups, and the values that callers filter and count them by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.backups.domain.archive_checks import ArchiveCheck, ArchiveCheckStatus
from services.backups.domain.restore_tests import RecordedApp, RestoreTest

MIB = 1 << 20  # bytes: sizes are shown in binary units, as Proxmox shows them
GIB = 1 << 30  # bytes


class BackupStatus(StrEnum):
    """State of a backup."""

    CREATING = "creating"
    COMPLETED = "completed"
    FAILED = "failed"
    RESTORING = "restoring"
    DELETING = "deleting"
    MISSING = "missing"  # its archive is gone from the storage


# An archive exists, or existed until its deletion began: the run that made it succeeded.
GOOD = frozenset({BackupStatus.COMPLETED, BackupStatus.RESTORING, BackupStatus.DELETING})
IN_USE = frozenset({BackupStatus.CREATING, BackupStatus.RESTORING, BackupStatus.DELETING})


VERIFICATION_FAILED = "failed"  # in the words of a Proxmox Backup Server
VERIFICATION_REASON = "the Proxmox Backup Server could not verify the archive; its task log has the chunks"


@dataclass(frozen=True, kw_only=True)
class BackupOrder:
    """A requested backup: Proxmox's mode and compression, a storage (empty: the best one), a note."""

    backup_type: str = "snapshot"
    compression: str = "zstd"
    storage: str = ""
    notes: str = ""


@dataclass(frozen=True)
class BackupCopy:
    """A backup on the second storage of a policy."""

    id: int
    storage: str
    status: BackupStatus


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup of an app.

    Attributes:
        mark: written into the archive's notes, by which an archive with an unknown name is found.
        volume_id: Proxmox's name of the archive; empty until it is known.
        size: bytes.
        progress: 0-100 while it is made.
        expected_s: seconds that the app's backup before took; None when there is none.
        left_out: descriptions of volumes of the container that are not in the archive.
        waiting_for: what holds its making up; empty: nothing.
        app_removed_at: when the app was deleted; the backup outlives it.
        app_name: of the app when the backup was made; empty for those of earlier releases.
        copy_of: the backup after which it was made on the second storage of a policy; None: it is no copy.
        copies: the backups that were made so after this one, where they were read.
        policy_id: the policy that requested it, which may have been deleted; None: a person did.
        restore_test: the newest one.
        recorded: the app as it was then; None: an earlier release made the backup.
        verification: of a Proxmox Backup Server: ok, failed, or empty when it has not verified the archive.
        encrypted: with a key that only the Proxmox host has.
        archive_check: the newest one.
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
    waiting_for: str = ""
    completed_at: datetime | None = None
    app_removed_at: datetime | None = None
    app_name: str = ""
    policy_id: int | None = None
    copy_of: int | None = None
    copies: tuple[BackupCopy, ...] = ()
    restore_test: RestoreTest = field(default_factory=RestoreTest)
    recorded: RecordedApp | None = None
    verification: str = ""
    encrypted: bool = False
    archive_check: ArchiveCheck = field(default_factory=ArchiveCheck)

    @property
    def is_good(self) -> bool:
        """Whether the run that made it succeeded and its archive is not known to be gone or broken."""
        return self.completed_at is not None and self.status in GOOD and not self.is_broken

    @property
    def is_broken(self) -> bool:
        """Whether a check, or a Proxmox Backup Server, found its archive broken."""
        return (
            self.archive_check.status is ArchiveCheckStatus.BROKEN or self.verification == VERIFICATION_FAILED
        )

    @property
    def is_in_use(self) -> bool:
        """Whether an operation on it is under way."""
        return self.status in IN_USE


@dataclass(frozen=True)
class BackupFilter:
    """Filter of a list of backups; None matches all."""

    owner_id: int | None = None
    app_id: str | None = None
    status: str | None = None
    policy_id: int | None = None
    storage: str | None = None
    host_id: int | None = None
    app_removed: bool | None = None
    since: datetime | None = None
    protected: bool | None = None


@dataclass(frozen=True)
class BackupCount:
    """Number of backups of an app, and of the protected and the restorable ones among them.

    Attributes:
        last_id, last_completed_at: the newest restorable backup; None where there is none.
        restorable: those of the requested operations whose backup can be restored.
        external_at, external_storage: of the newest archive that the platform did not make; None: none is known.
    """

    app_id: str
    total: int
    protected: int
    completed: int
    last_id: int | None = None
    last_completed_at: datetime | None = None
    restorable: tuple[str, ...] = ()
    external_at: datetime | None = None
    external_storage: str = ""


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


@dataclass(frozen=True)
class OperationStanding:
    """Standing of an operation: unknown, unfinished, succeeded or failed."""

    status: str
    updated_at: datetime | None = None
