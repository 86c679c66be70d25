"""Changes of apps and of what is recorded about them, which the store applies in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.apps.domain.entities import Upgrade
from services.clients.backups.values import LastBackup


@dataclass(frozen=True)
class ChangeApp:
    """Set columns of an app; a new status is announced."""

    app_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class AddLog:
    """Add a line to an app's log."""

    app_id: str
    message: str
    level: str = "info"
    step: str = ""


@dataclass(frozen=True)
class RemoveApp:
    """Remove an app, its port and its log; announce it, and whether its backups are to go with it."""

    app_id: str
    delete_backups: bool = False


@dataclass(frozen=True)
class AnnounceDeployed:
    """Announce that an app runs for the first time."""

    app_id: str


@dataclass(frozen=True)
class AddUpgrade:
    """Record an upgrade that begins."""

    upgrade: Upgrade


@dataclass(frozen=True)
class NoteArchive:
    """Record the backup that was made before an upgrade."""

    upgrade_id: str
    archive: str


@dataclass(frozen=True)
class SwitchVersion:
    """Switch an app to the version after an upgrade, or to the one before it."""

    upgrade_id: str
    forward: bool


@dataclass(frozen=True)
class ForgetUpgrade:
    """Delete the former version that was stored for the time of an operation."""

    upgrade_id: str


@dataclass(frozen=True)
class ForgetSightings:
    """Delete the sighting of an orphan or duplicate that is gone."""

    host_id: int
    vmid: int


@dataclass(frozen=True, kw_only=True)
class BackupState:
    """Backups of an app as their service has them.

    Attributes:
        last: the newest that can be restored.
        upgrade_id: the update that the app owes its version to; empty: none, or one without a backup.
        is_restorable: the backup made before that update can be restored.
    """

    app_id: str
    last: LastBackup | None = None
    upgrade_id: str = ""
    is_restorable: bool = False


@dataclass(frozen=True)
class RestoreVersion:
    """Switch an app to the version that was backed up; `operation_id` is that of its restore."""

    app_id: str
    operation_id: str


Change = (
    ChangeApp
    | AddLog
    | RemoveApp
    | AnnounceDeployed
    | AddUpgrade
    | NoteArchive
    | SwitchVersion
    | ForgetUpgrade
    | ForgetSightings
    | RestoreVersion
)
