"""Catalog items as apps sees them: renderings, inputs, revisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ItemProbe:
    """Probe that an item declares; 0 or empty: it does not say.

    Attributes:
        grace_s: seconds that it may take until it answers.
    """

    scheme: str = ""
    port: int = 0
    path: str = ""
    grace_s: int = 0


@dataclass(frozen=True, kw_only=True)
class ItemCredentials:
    """First credentials as an item writes them, with `${NAME}` for values; `change` says where to change them."""

    username: str = ""
    password: str = ""
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A catalog item rendered with the values of an app.

    Attributes:
        environment: every value by variable, as the container gets it.
        inputs: every value by input, and the further variables.
        architectures: that the images are for, as Docker names them; empty: not known.
        devices: of the node that the container needs.
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
    probe: ItemProbe | None
    mounts: tuple[tuple[str, int], ...]
    image: str
    entrypoint: str
    command: str
    version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: ItemCredentials | None = None
    architectures: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ItemInput:
    """A value that a catalog item takes; the proto of the same name documents the fields."""

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
    """Differences of two revisions; `images` has service, image before and image after."""

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
class ItemRevision:
    """The newest revision of a catalog item, its version for people, and the path of its icon (empty: it has none)."""

    revision: str
    version: str
    icon: str = ""
