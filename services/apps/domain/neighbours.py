"""Protocols and values of the other services: the catalog, backups, accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """Rendering of a catalog item: what to run.

    Attributes:
        environment: every value by variable, as the container gets it.
        inputs: every value by input, and the further variables.
        credentials: username, password and change as the item writes them, with `${NAME}` for values.
    """

    catalog_id: str
    revision: str
    name: str
    runtimes: tuple[str, ...]
    docker_compose: str
    environment: Mapping[str, str] = field(repr=False)
    secret_names: tuple[str, ...]
    images: tuple[str, ...]
    min_memory: int
    min_disk: int
    internal_port: int
    port_published: bool
    probe: Mapping[str, Any]
    mounts: tuple[tuple[str, int], ...]
    image: str
    entrypoint: str
    command: str
    version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HeldBackup:
    """A backup that one of our operations had made; `archive` is Proxmox's name of it, `progress` 0-100."""

    id: int
    status: str
    progress: int = 0
    error: str = ""
    archive: str = ""


@dataclass(frozen=True)
class AppBackupCount:
    """Number of an app's backups, and of the protected ones among them."""

    total: int
    protected: int


class Backups(Protocol):
    """Backups, as upgrading needs them."""

    async def create(self, app_id: str, operation_id: str, *, notes: str, requested_by: int) -> HeldBackup:
        """Have a backup made of an app that an operation of ours holds; the same one again for the same operation."""

    async def find(self, operation_id: str) -> HeldBackup | None:
        """The backup that an operation had made; None when there is none (any more)."""

    async def count(self, app_ids: Sequence[str]) -> Mapping[str, AppBackupCount]:
        """Count the backups of up to 500 apps; apps without any are left out."""

    async def cancel(self, operation_id: str) -> bool:
        """Ask an operation that backups carries out to stop; False when it has ended."""


@dataclass(frozen=True, kw_only=True)
class ItemInput:
    """A value that a catalog item asks for; see the proto of the same name."""

    name: str
    label: str
    type: str
    required: bool = False
    default: str | None = None
    pattern: str = ""
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    secret: bool = False
    generated: bool = False
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class RevisionChanges:
    """Differences between two revisions; `images` has service, image before and image after."""

    revision: str
    version: str
    from_version: str
    images: tuple[tuple[str, str, str], ...]
    added_inputs: tuple[ItemInput, ...]
    removed_inputs: tuple[str, ...]
    notes: tuple[str, ...]
    release_notes_url: str
    release_notes: str = ""


@dataclass(frozen=True)
class Newest:
    """The newest revision of a catalog item, and its version for people."""

    revision: str
    version: str


class Catalog(Protocol):
    """The catalog, as deploying needs it."""

    async def render(
        self,
        catalog_id: str,
        environment: Mapping[str, str],
        *,
        public_port: int,
        runtime: str,
        image: str = "",
        port: int = 0,
        hostname: str = "",
        project: str = "",
        revision: str = "",
        generated: Mapping[str, str] | None = None,
        from_revision: str = "",
        secret: Mapping[str, bool] | None = None,
    ) -> Rendering:
        """Render an item; refuses with a violation for each bad input.

        `from_revision` is the one that the values are of: those of inputs that are gone since are left out. `secret`
        says of values whether they are secret; what the item declares as secret stays so.
        """

    async def compare_revisions(
        self, catalog_id: str, *, from_revision: str, revision: str
    ) -> RevisionChanges:
        """Return what changes from one revision to another, or (empty) the newest."""

    async def list_newest(self) -> Mapping[str, Newest]:
        """The newest revision of every item."""


class Users(Protocol):
    """Auth, as adopting needs it."""

    async def has_user(self, user_id: int) -> bool:
        """Whether there is such an account."""
