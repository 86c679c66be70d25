"""Sources of items that an administrator registers: their locations, formats and intervals."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.errors import InvalidSourceError
from services.catalog.domain.importers.formats.foreign_formats import find_foreign_location
from services.common.core.errors import Violation

# A part of item ids and of addresses of the API.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# No plain http: what is fetched becomes code that runs.
_LOCATION = re.compile(r"(/|https://|git\+https://)[^\s\x00-\x1f]+")

# No leading dash, which git would read as an option.
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")


DEFAULT_REFRESH_HOURS = 24  # collections change daily at most
# Share of the interval, so that sources that were registered together are not fetched together for ever.
_JITTER = 0.1
# After a failure, unless the interval is shorter: a daily source loses no whole day.
_RETRY = timedelta(hours=6)


class SourceFormat(StrEnum):
    """Format of a collection."""

    NATIVE = "native"
    PORTAINER = "portainer"
    CASAOS = "casaos"
    RUNTIPI = "runtipi"
    UMBREL = "umbrel"
    COOLIFY = "coolify"
    DOKPLOY = "dokploy"
    COMPOSE = "compose"


class SourceStatus(StrEnum):
    """Outcome of the last fetch."""

    NEW = "new"
    FETCHING = "fetching"
    PUBLISHED = "published"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GitLocation:
    """A git repository; `branch` is empty for the default one, `folder` for all of it."""

    url: str
    branch: str = ""
    folder: str = ""


def find_git_location(location: str) -> GitLocation | None:
    """Return the repository that a location names (`git+https://…` or `https://….git`), or None."""
    address, _, part = location.partition("#")
    if not location.startswith("git+") and not address.endswith(".git"):
        return None
    branch, _, folder = part.partition(":")
    return GitLocation(address.removeprefix("git+"), branch, folder.strip("/"))


def find_part_fault(location: str) -> str:
    """Return the fault of the part after `#` in a location, empty where there is none."""
    git = find_git_location(location)
    if git is None:
        is_part = "#" in location and not location.startswith("/")
        return "has a # that only git repositories may have (#branch:folder)" if is_part else ""
    if git.branch and (
        not _BRANCH.fullmatch(git.branch) or ".." in git.branch or git.branch.endswith(".lock")
    ):
        return f"names {git.branch[:100]!r}, which cannot be a branch or tag"
    is_hidden = any(part.startswith(".") for part in git.folder.split("/"))
    return f"names the folder {git.folder[:100]!r}, which is hidden or outside" if is_hidden else ""


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source as it may be registered.

    The location is a folder or tar file on the server (absolute path), `https://…` of a file
    or tar, or a git repository (`git+https://…`, or `https://….git`), where `#branch`, `#branch:folder`
    or `#:folder` may follow.

    Raises:
        InvalidSourceError: the name, location or format cannot be.
    """

    name: str
    location: str
    format: SourceFormat
    refresh_hours: int = DEFAULT_REFRESH_HOURS

    def __post_init__(self) -> None:
        violations = []
        if not _NAME.fullmatch(self.name) or self.name == OWN_SOURCE:
            violations.append(
                Violation("name", f"{self.name!r} must be letters, digits and dashes, and not {OWN_SOURCE}")
            )
        if not _LOCATION.fullmatch(self.location) or ".." in self.location.split("/"):
            text = f"{self.location[:200]!r} must be an absolute path, https://… or git+https://…"
            violations.append(Violation("location", text))
        if fault := find_part_fault(self.location):
            violations.append(Violation("location", fault))
        if reason := find_foreign_location(self.location):
            violations.append(Violation("location", reason))
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
    refresh_hours: int = DEFAULT_REFRESH_HOURS
    next_fetch_at: datetime | None = None
    allow_host_needs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanges:
    """Changes of a source; None keeps what is there.

    Attributes:
        refresh_hours: between two fetches; 0 for never.
        allow_host_needs: whether its items may have the devices and capabilities that they need.
    """

    refresh_hours: int | None = None
    allow_host_needs: bool | None = None


def choose_next_fetch(
    refresh_hours: int, *, moment: datetime, failed: bool = False, share: Callable[[], float] = random.random
) -> datetime | None:
    """Return when a source is fetched next without a request, None for never.

    Args:
        refresh_hours: between two fetches; 0 for never.
        moment: of the last fetch.
        failed: whether that one failed.
        share: from 0 to 1, of the jitter of 10 % that is added or taken away.
    """
    if not refresh_hours:
        return None
    interval = timedelta(hours=refresh_hours)
    if failed:
        interval = min(interval, _RETRY)
    return moment + interval * (1 + _JITTER * (2 * share() - 1))
