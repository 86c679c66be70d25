"""Stamps: which state of an app, a log or a list there is to show, without the columns that showing it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.apps.domain.entities import AppFilter
from services.clients.inventory.values import Container
from services.common.operations.model import Operation


@dataclass(frozen=True, kw_only=True)
class OperationFilter:
    """Criteria of a list of operations.

    Attributes:
        owner_id: the user whose apps they are on; None: of all users, and on apps that were removed.
        status: as clients name it, or `unfinished`; empty: any.
        kind: empty: any.
        app_id: empty: on any app.
        since: the earliest time of their last change.
    """

    owner_id: int | None = None
    status: str = ""
    kind: str = ""
    app_id: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AppStamp:
    """The state of one app, with the columns that most requests need.

    Attributes:
        stamp: changes whenever the app does.
        changed_at: when that was, in seconds since the epoch.
    """

    id: str
    stamp: object
    status: str
    error: str
    host_id: int
    vmid: int | None
    node: str
    changed_at: float


# A tuple and no dataclass: a page has hundreds, and building them is most of the work.
class ListedStamp(NamedTuple):
    """The state of one app of a list.

    Attributes:
        stamp: changes whenever the app does.
        changed_at: when that was, in seconds since the epoch.
    """

    id: str
    stamp: object
    status: str
    host_id: int
    vmid: int | None
    changed_at: float


@dataclass(frozen=True, slots=True)
class LogStamp:
    """The state of an app's log: its newest line and how many lines it has."""

    newest: int
    total: int


@dataclass(frozen=True, kw_only=True)
class AppPage:
    """The state of one page of apps, newest first, and how many apps there are in all.

    Attributes:
        after: the app that the page begins behind; empty: it has a number.
        live: the containers of those that run and whose hosts answer, by the id of the app.
    """

    wanted: AppFilter
    page: int
    per_page: int
    stamps: list[ListedStamp]
    total: int
    after: str = ""
    live: Mapping[str, Container] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LogPage:
    """The state of an app's log, and which of its lines are requested: the newest, or those before the id `before`."""

    app_id: str
    limit: int
    level: str
    stamp: LogStamp
    before: int | None = None


@dataclass(frozen=True, kw_only=True)
class OperationPage:
    """The state of one page of an app's operations, newest first, and how many there are in all.

    Attributes:
        operations: of a page that begins behind an operation, which is not cached; None: the page has a number.
    """

    app_id: str
    page: int
    per_page: int
    stamps: list[tuple[str, object]]
    total: int
    operations: Sequence[Operation] | None = None
