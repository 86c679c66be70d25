"""Apps as other services see them, and what they request of apps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AppProbeTarget:
    """The port by which an app shows that it works; it may take `grace_s` seconds after a start."""

    scheme: str
    port: int
    path: str
    grace_s: int


@dataclass(frozen=True, kw_only=True)
class AppHold:
    """An app and the operation that locks it.

    Attributes:
        name: its display name, or the hostname where it has none.
        status: the one before the operation that locks it.
        operation_id: of the unfinished operation; empty: none.
        storage: the storage that its root disk was requested on; empty: any.
        created_at: None from releases that do not say.
        runtime: compose, oci or adopted; empty: apps is of an earlier release.
        probe: None when nothing can be probed.
        obstacle: why an operation could not begin now; empty: it could.
        settled_status: the last of running and stopped that it was in; empty: neither, or it is not known.
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
    created_at: datetime | None = None
    runtime: str = ""
    probe: AppProbeTarget | None = None
    obstacle: str = ""
    settled_status: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgressReport:
    """Progress of an operation for the app's users: 0-100, the step, its Proxmox task (`upid`) and what holds it up."""

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
    waiting_for: str = ""


@dataclass(frozen=True)
class AppProbe:
    """Answer of an app's port; the app may take `grace_s` seconds after a start."""

    answered: bool
    port: int = 0
    # Items differ: some need minutes for their first start.
    grace_s: int = 0
    message: str = ""


@dataclass(frozen=True)
class RestoreBesideOrder:
    """A new app to make of an archive.

    Attributes:
        made_by: the operation that made the archive, which tells the version of the app in it.
        host_id, vmid, owner_id: of the backup; the only facts left of an app that was deleted.
        node: for the new app; empty: that of the old one.
        target_host_id, target_archive: the host for the new app, and the archive as it names it; 0: that of the backup.
        archive_size: bytes; 0: not known.
    """

    operation_id: str
    source_app_id: str
    archive: str
    new_hostname: str
    # Apps are updated: an archive of an earlier version needs the definition and values of that version.
    made_by: str = ""
    host_id: int = 0
    vmid: int = 0
    owner_id: int = 0
    node: str = ""
    target_host_id: int = 0
    target_archive: str = ""
    archive_size: float = 0

    @property
    def is_elsewhere(self) -> bool:
        """Whether the new app is made on another host than that of the backup."""
        return self.target_host_id not in (0, self.host_id)


@dataclass(frozen=True)
class NewAppAnswer:
    """The app that an order makes, and a message for its user."""

    app_id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDeployment:
    """A deployment to plan; `config` as its user writes it, not yet checked."""

    item_id: str
    hostname: str = ""
    # Unchecked on purpose: apps decides, so that preview and deployment refuse the same.
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    node: str = ""
    host_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDeployment:
    """Choices of a deployment: memory and swap in MB, disk in GB.

    Attributes:
        placement_message: why there is no place; empty: there is one.
        obstacles: why it would be refused, for want of a place or otherwise.
    """

    runtime: str
    memory: int
    cores: float
    disk_size: int
    swap: int = 0
    host_id: int | None = None
    node: str = ""
    runtime_reason: str = ""
    placement_message: str = ""
    warnings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
