"""Changes that a workflow commits in the transaction of its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from services.backups.domain.archive_checks import ArchiveCheckStatus
from services.backups.domain.restore_tests import RecordedApp, RestoreTestStatus


@dataclass(frozen=True)
class NoteProgress:
    """Progress of making a backup, 0-100."""

    backup_id: int
    progress: int


@dataclass(frozen=True)
class NoteWaiting:
    """A reason why the making of a backup waits, until the next change of the backup."""

    backup_id: int
    reason: str


@dataclass(frozen=True)
class NoteLeftOut:
    """Descriptions of the volumes that will not be in the archive."""

    backup_id: int
    volumes: tuple[str, ...]


@dataclass(frozen=True)
class RecordApp:
    """The app as it is in the archive, for a restore test."""

    backup_id: int
    app: RecordedApp


@dataclass(frozen=True)
class NoteTestLog:
    """Log of a restore test under way."""

    backup_id: int
    log: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EndTest:
    """Outcome of a restore test; `untested` when it could not be carried out."""

    backup_id: int
    app_id: str
    status: RestoreTestStatus
    failed_step: str = ""
    message: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CompleteBackup:
    """The archive exists; `size` in bytes."""

    backup_id: int
    app_id: str
    volume_id: str
    file_name: str
    storage: str
    size: int


# A restore makes it before it overwrites: it gets a row when it is good, for a failed one would help nobody.
@dataclass(frozen=True, kw_only=True)
class AddBackup:
    """A completed backup that another operation made; `began_at` in epoch seconds."""

    app_id: str
    app_name: str
    owner_id: int
    host_id: int
    vmid: int
    mark: str
    notes: str
    volume_id: str
    file_name: str
    storage: str
    size: int
    began_at: float
    left_out: tuple[str, ...] = ()
    recorded: RecordedApp | None = None


@dataclass(frozen=True)
class EndCheck:
    """The archive was checked, or could not be."""

    backup_id: int
    status: ArchiveCheckStatus
    message: str = ""
    node: str = ""


@dataclass(frozen=True)
class FailBackup:
    """The backup could not be made."""

    backup_id: int
    app_id: str
    error: str


@dataclass(frozen=True)
class EndRestore:
    """The app was restored, or, with an error, was not; the backup is as usable as before."""

    backup_id: int
    app_id: str
    error: str = ""


@dataclass(frozen=True)
class FreeBackup:
    """Nothing reads the archive any more; the backup is as usable as before."""

    backup_id: int


@dataclass(frozen=True)
class LoseArchive:
    """The archive is gone from its storage, and the platform did not delete it."""

    backup_id: int
    error: str


@dataclass(frozen=True)
class RemoveBackup:
    """The archive is deleted: the row goes too."""

    backup_id: int


@dataclass(frozen=True)
class KeepBackup:
    """The archive could not be deleted: the backup stays."""

    backup_id: int
    error: str


BackupChange = (
    NoteProgress
    | NoteLeftOut
    | NoteWaiting
    | RecordApp
    | NoteTestLog
    | EndTest
    | EndCheck
    | AddBackup
    | CompleteBackup
    | FailBackup
    | EndRestore
    | FreeBackup
    | LoseArchive
    | RemoveBackup
    | KeepBackup
)
