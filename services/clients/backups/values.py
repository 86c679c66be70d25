"""Backups as apps sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class HeldBackup:
    """A backup that an operation of apps requested; `archive` is its volume id, `progress` 0-100."""

    id: int
    status: str
    progress: int = 0
    error: str = ""
    # Known only when Proxmox has named it, near the end of the task.
    archive: str = ""
    is_broken: bool = False


@dataclass(frozen=True)
class LastBackup:
    """The newest backup of an app that can be restored; `id` None: an external one, on `storage`."""

    id: int | None
    completed_at: datetime
    storage: str = ""


@dataclass(frozen=True)
class OverdueRun:
    """The newest run of a policy for an app that should have given a backup by now."""

    app_id: str
    policy_name: str
    since: datetime


@dataclass(frozen=True)
class AppBackupCount:
    """Number of backups of an app, and of the protected and the completed ones among them.

    Attributes:
        last: the newest completed one; None also from a release that does not tell.
        external: the newest one that the platform did not make.
        restorable: those of the requested operations whose backup can be restored.
    """

    total: int
    protected: int
    completed: int = 0
    last: LastBackup | None = None
    restorable: frozenset[str] = frozenset()
    external: LastBackup | None = None


@dataclass(frozen=True, kw_only=True)
class ExportableArchive:
    """A backup of an app with the facts of its archive; `size` in bytes.

    Attributes:
        left_out: descriptions of volumes that are not in the archive.
        made_by: the operation that made it, which tells the version of the app in it.
        images: ids by name, of the containers of Docker that ran.
        seen: it was on its storage just now.
    """

    id: int
    host_id: int
    vmid: int
    storage: str
    volume_id: str
    file_name: str
    size: int
    completed_at: datetime
    protected: bool = False
    encrypted: bool = False
    verification: str = ""
    restore_test: str = ""
    left_out: tuple[str, ...] = ()
    made_by: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    seen: bool = True


@dataclass(frozen=True)
class AppBackups:
    """The backup of an export (None: there is none), and the names of the policies that back the app up."""

    archive: ExportableArchive | None
    policies: tuple[str, ...] = ()
