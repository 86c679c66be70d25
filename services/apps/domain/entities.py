"""Entities: apps, their events, versions and upgrades, and operations to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.apps.domain.config import AppConfig
from services.apps.domain.rendering import AppRendering
from services.clients.auth.values import Quota
from services.clients.backups.values import LastBackup, OverdueRun
from services.common.core.parsing import Patch
from services.common.core.text import MASK, find_credentials, mask_credentials, mask_values

BACKUP_OVERDUE = "backup_overdue"  # type of a condition
SETTLED = frozenset({"running", "stopped"})
STABLE = SETTLED | {"error"}  # an app in one of these has no operation under way

ACTIONS: Mapping[str, tuple[str, str, str]] = {
    # action: status meanwhile, kind of operation, word for people
    "start": ("starting", "start_app", "Starting"),
    "stop": ("stopping", "stop_app", "Stopping"),
    "restart": ("restarting", "restart_app", "Restarting"),
    "delete": ("removing", "delete_app", "Deleting"),
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A difference between an app and its container."""

    type: str
    message: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class App:
    """An application in a container.

    Attributes:
        environment: every value by variable, as the container gets it; shown only through `visible_environment`.
        inputs: every value by input, where an image is the container and its variables have other names; else empty.
        secret_names: the names in both whose values are not shown.
        rendering: what runs in it, without values.
        settled_status: the last of running and stopped that an operation found it in; empty: none did.
        published: whether the main port is published on `public_port` inside the container.
        last_backup: the newest that can be restored, as the backups service reported last.
        overdue_backup: the run of a policy that should have given a backup by now, as the backups service reported last.
        has_rollback: it owes its version to an update, and the backup made before that can be restored.
    """

    id: str
    catalog_id: str
    name: str
    hostname: str
    status: str
    host_id: int
    node: str
    vmid: int | None = None
    owner_id: int
    runtime: str
    internal_port: int | None = None
    public_port: int | None = None
    published: bool = False
    address: str = ""
    config: AppConfig = field(default_factory=AppConfig)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_names: tuple[str, ...] = ()
    rendering: AppRendering = field(default_factory=AppRendering)
    revision: str = ""
    adopted: bool = False
    error: str = ""
    conditions: tuple[Condition, ...] = ()
    created_at: datetime
    updated_at: datetime
    state_changed_at: datetime
    settled_status: str = ""
    last_backup: LastBackup | None = None
    overdue_backup: OverdueRun | None = None
    has_rollback: bool = False

    def list_conditions(self) -> list[Condition]:
        """List what is to be shown: the differences from its container, and a backup that is overdue."""
        found = list(self.conditions)
        if overdue := self.overdue_backup:
            message = f"policy {overdue.policy_name} has made no backup since its run of {overdue.since:%Y-%m-%d %H:%M} UTC was due"
            found.append(Condition(type=BACKUP_OVERDUE, message=message, since=overdue.since))
        return found

    @property
    def is_stable(self) -> bool:
        """Whether no operation is under way."""
        return self.status in STABLE

    @property
    def port(self) -> int | None:
        """The port that answers at the container's address."""
        return self.public_port if self.published else self.internal_port

    @property
    def url(self) -> str:
        """URL at which the app answers; `tcp:` where that is no web page, empty while it is not known."""
        if not self.address or self.port is None:
            return ""
        host = f"[{self.address}]" if ":" in self.address else self.address
        # The probe asks the main port in the protocol that the catalog item declares; adopted apps have none.
        probe = self.rendering.probe
        scheme = (probe.scheme if probe else "") or "http"
        return f"{scheme}://{host}:{self.port}"

    @property
    def page_url(self) -> str:
        """URL of the app's web page; empty where it has none, as a database, or while it is not known."""
        return self.url if self.url.startswith("http") else ""

    @property
    def given(self) -> Mapping[str, str]:
        """Every value by input, and the further variables: what the catalog renders again."""
        return self.inputs or self.environment

    @property
    def visible_environment(self) -> dict[str, str]:
        """The values by input with secret ones masked, and the credentials inside the others."""
        secret = frozenset(self.secret_names)
        return {
            name: MASK if name in secret else mask_credentials(value) for name, value in self.given.items()
        }

    def hide_secrets(self, text: str) -> str:
        """Mask the values of secrets in a text, and credentials inside the others."""
        secret, found = frozenset(self.secret_names), set[str]()
        for name, value in (*self.environment.items(), *self.inputs.items()):
            found |= {value} if name in secret else find_credentials(value)
        return mask_values(text, found)


@dataclass(frozen=True, kw_only=True)
class AppDetails(Patch):
    """Changes of attributes of an app that nothing follows from."""

    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewAppOperation:
    """An operation to record with what it changes at once.

    Attributes:
        status: of the app while it runs.
        delegated: another service carries it out.
        quota: what the owner's apps may take together with what it changes; None: not checked.
        node, storage: places whose limit of simultaneous operations it counts for; empty: none.
        seen: when the app had last changed as it was read; a change since then refuses the operation.
    """

    id: str
    kind: str
    status: str
    state: Mapping[str, Any] = field(repr=False)
    quota: Quota | None = None
    steps: tuple[tuple[str, str], ...] = ()
    requested_by: int | None = None
    delegated: bool = False
    node: str = ""
    storage: str = ""
    seen: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AppFilter:
    """Filter of a list of apps; None: all."""

    owner_id: int | None = None
    status: str | None = None
    search: str = ""
    host_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class AppEvent:
    """Event of an app; `kind` is status (the message is the new one) or log."""

    id: int
    kind: str
    level: str
    message: str
    step: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class AppVersion:
    """Part of an app that another revision of its catalog item changes."""

    revision: str
    version: str = ""
    internal_port: int | None
    published: bool
    environment: Mapping[str, str] = field(repr=False)
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_names: tuple[str, ...]
    rendering: AppRendering

    @property
    def values(self) -> dict[str, Any]:
        """Columns of an app of this version."""
        return {
            "revision": self.revision,
            "internal_port": self.internal_port,
            "published": self.published,
            "environment": self.environment,
            "inputs": self.inputs,
            "secret_names": self.secret_names,
            "rendering": self.rendering,
        }


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """A change of an app from one version to another; its id is that of the operation that made it.

    Attributes:
        status: begun; current once the app is of the version `after`; undone once it is of `before` again.
        archive: the backup made before, as Proxmox names it.
    """

    id: str
    app_id: str
    before: AppVersion
    after: AppVersion
    status: str = "begun"
    archive: str = ""


@dataclass(frozen=True)
class Departure:
    """Numbers of deployments stopped and apps handed over when a user left."""

    stopped: int
    moved: int
