"""Entities of the catalog. Values are frozen; an `Item` that exists is valid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

OWN_SOURCE = "builtin"
"""Name of the source that is this repository's own data folder."""


class InputType(StrEnum):
    """Type of an input, which decides its form field and its checks."""

    TEXT = "text"
    PASSWORD = "password"  # noqa: S105 - the name of a type, not a password
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    URL = "url"
    EMAIL = "email"
    PORT = "port"
    TIMEZONE = "timezone"


@dataclass(frozen=True, slots=True)
class Generate:
    """Rule by which the platform generates a value that was not given."""

    length: int
    alphabet: str = "alphanumeric"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values a choice input takes."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Input:
    """A value the definition needs from a person, from its default, or generated; `unit` is that of a number."""

    name: str
    label: str
    type: InputType
    help: str = ""
    required: bool = False
    secret: bool = False
    default: str | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] = ()
    generate: Generate | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PortSpec:
    """A TCP or UDP port of a service and what it is for."""

    service: str
    container: int
    published: int
    protocol: str
    purpose: str
    main: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """Path with data of a service; `backup`: the data cannot be restored from elsewhere."""

    service: str
    name: str
    path: str
    purpose: str
    backup: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class ReadinessProbe:
    """Check that the app answers on its main port."""

    kind: str
    path: str = "/"
    scheme: str = "http"
    lowest_status: int = 200
    highest_status: int = 399
    grace_seconds: int = 120
    timeout_seconds: int = 5


@dataclass(frozen=True, slots=True)
class Need:
    """The least and the advised amount of something."""

    minimum: float
    recommended: float


@dataclass(frozen=True, slots=True)
class Resources:
    """Memory in MB, processor in cores, disk in GB."""

    memory: Need
    cpu: Need
    disk: Need


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password of the first sign-in, and the way to change them."""

    username: str
    password: str
    change: str


@dataclass(frozen=True, slots=True)
class ItemSource:
    """An item of the same app, in this or another source."""

    item_id: str
    source: str
    version: str


@dataclass(frozen=True, slots=True)
class Item:
    """One app that can be deployed, as one published revision describes it.

    `id` is unique over all sources: the app's own id for this repository's data,
    `<source>.<id>` otherwise. `compose` must not be changed. `sources`, `keywords` and
    `added_at` are known only once the item is part of a published catalog.
    """

    id: str
    name: str
    version: str
    description: str
    category: str
    tags: tuple[str, ...]
    author: str
    website: str
    documentation: str
    source_code: str
    license: str
    icon: str
    screenshots: tuple[str, ...]
    architectures: tuple[str, ...]
    runtimes: tuple[str, ...]
    resources: Resources
    ports: tuple[PortSpec, ...]
    volumes: tuple[VolumeSpec, ...]
    inputs: tuple[Input, ...]
    probe: ReadinessProbe
    credentials: Credentials | None
    notes: tuple[str, ...]
    allows: frozenset[str]
    compose: Mapping[str, Any]
    images: tuple[str, ...]
    source: str
    revision: str
    release_notes: str = ""
    sources: tuple[ItemSource, ...] = ()
    keywords: tuple[str, ...] = ()
    added_at: datetime | None = None

    @property
    def main_port(self) -> PortSpec | None:
        """The port the platform publishes and probes: the web page, or the server's own."""
        return next((port for port in self.ports if port.main), None)

    @property
    def state(self) -> str:
        """Name of what is shown of the item: its revision, and what the rest of the catalog adds to it."""
        added = [self.category, self.added_at, *(f"{one.item_id} {one.version}" for one in self.sources)]
        digest = hashlib.sha256("\n".join(map(str, added)).encode()).hexdigest()
        return f"{self.revision}-{digest[:8]}"


@dataclass(frozen=True, slots=True)
class Revision:
    """One published state of one item; the row never changes.

    `added_at` is when the item was first published, which is known only of current revisions.
    """

    item_id: str
    revision: str
    version: str
    source: str
    document: Mapping[str, Any]
    published_at: datetime
    added_at: datetime | None = None
