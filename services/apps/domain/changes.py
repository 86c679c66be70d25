"""Changes of apps and of what is recorded about them, which the store applies in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.apps.domain.entities import Upgrade


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
    """Say that an app runs for the first time."""

    app_id: str


@dataclass(frozen=True)
class AddUpgrade:
    """Note an upgrade that begins."""

    upgrade: Upgrade


@dataclass(frozen=True)
class NoteArchive:
    """Note the backup that was made before an upgrade."""

    upgrade_id: str
    archive: str


@dataclass(frozen=True)
class SwitchVersion:
    """Make an app be of the version after an upgrade, or of the one before it."""

    upgrade_id: str
    forward: bool


@dataclass(frozen=True)
class ForgetUpgrade:
    """Forget the former version that was kept for the time of an operation."""

    upgrade_id: str


@dataclass(frozen=True)
class ForgetSightings:
    """Forget that reconciliation saw an orphan or duplicate: it is gone."""

    host_id: int
    vmid: int


@dataclass(frozen=True)
class RestoreVersion:
    """Make an app be of the version that was backed up; `operation_id` is that of its restore."""

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
