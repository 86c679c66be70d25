"""Where items come from: sources registered by an administrator, and what may be one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.errors import InvalidSourceError
from services.common.core.errors import Violation

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LOCATION = re.compile(r"(/|https://|git\+https://)[^\s\x00-\x1f]{1,490}")


class SourceFormat(StrEnum):
    """How a collection writes its apps down."""

    NATIVE = "native"
    PORTAINER = "portainer"
    CASAOS = "casaos"
    RUNTIPI = "runtipi"
    UMBREL = "umbrel"
    COMPOSE = "compose"


class SourceStatus(StrEnum):
    """What became of the last fetch."""

    NEW = "new"
    FETCHING = "fetching"
    PUBLISHED = "published"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source as it may be registered.

    The location is a folder or tar file on the server (absolute path), `https://…` of a file
    or tar, or a git repository (`git+https://…`, or `https://….git`).

    Raises:
        InvalidSourceError: the name, location or format cannot be.
    """

    name: str
    location: str
    format: SourceFormat

    def __post_init__(self) -> None:
        violations = []
        if not _NAME.fullmatch(self.name) or self.name == OWN_SOURCE:
            violations.append(
                Violation("name", f"{self.name!r} must be letters, digits and dashes, and not {OWN_SOURCE}")
            )
        if not _LOCATION.fullmatch(self.location) or ".." in self.location.split("/"):
            text = f"{self.location[:200]!r} must be an absolute path, https://… or git+https://…"
            violations.append(Violation("location", text))
        if "@" in self.location.partition("://")[2].partition("/")[0]:
            violations.append(Violation("location", "must not carry a user name or password"))
        if violations:
            raise InvalidSourceError(
                f"{violations[0].field}: {violations[0].description}", violations=violations
            )


@dataclass(frozen=True, slots=True)
class Source:
    """A registered source and the outcome of its last fetch."""

    id: int
    name: str
    location: str
    format: SourceFormat
    status: SourceStatus
    error: str
    item_count: int
    rejected_count: int
    last_fetched_at: datetime | None
    created_at: datetime
