"""Backups as apps sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeldBackup:
    """A backup that an operation of apps requested; `archive` is its volume id, `progress` 0-100."""

    id: int
    status: str
    progress: int = 0
    error: str = ""
    archive: str = ""


@dataclass(frozen=True)
class AppBackupCount:
    """Number of backups of an app, and of the protected and the completed ones among them."""

    total: int
    protected: int
    completed: int = 0
