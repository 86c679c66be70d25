"""Recorded events of all apps and backups, as the stream of everything has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ChangedBackup:
    """A change of a backup; `status` is deleted when it is gone."""

    backup_id: int
    app_id: str
    owner_id: int
    status: str
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class BackupAlert:
    """A fault of a backup, or of a run that should have made one.

    Attributes:
        kind: backup_failed, backup_broken, backup_overdue or restore_test_failed, the name of the event in streams.
    """

    kind: str
    app_id: str
    message: str
    backup_id: int | None = None
    policy_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """A recorded event with the owner of what it is about.

    Attributes:
        kind: status (the message is the new one), log, removed or backup.
        backup: what changed, of the kind backup.
        alert: of the kind log, where it is about no line of an app.
    """

    id: int
    kind: str
    app_id: str
    owner_id: int
    level: str
    message: str
    step: str
    at: datetime
    backup: ChangedBackup | None = None
    alert: BackupAlert | None = None
