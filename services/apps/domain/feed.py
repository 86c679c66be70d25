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
class RecordedEvent:
    """A recorded event with the owner of what it is about.

    Attributes:
        kind: status (the message is the new one), log, removed or backup.
        backup: what changed, of the kind backup.
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
