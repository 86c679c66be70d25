"""Protocols of the database, as use cases need it, and the types of functions that they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from services.apps.domain.changes import Change
from services.apps.domain.config import AppConfig
from services.apps.domain.entities import App, AppFilter, NewAppOperation, Upgrade
from services.apps.domain.sightings import Sightings
from services.apps.domain.stamps import AppStamp, ListedStamp, LogStamp, OperationFilter
from services.apps.domain.summary import OperationCounts
from services.common.operations.model import DelegatedStep, Operation

PlanSteps = Callable[[str, Mapping[str, Any]], tuple[tuple[str, str], ...]]
"""Names and descriptions of the steps of an operation, from its kind and state."""


# Apart from `AppReads`: lists are rendered from stamps alone, without opening a single sealed column.
class AppStamps(Protocol):
    """Reads on the fast read path: stamps, which say what there is to show."""

    async def get_stamp(self, app_id: str, *, owner: int | None) -> AppStamp:
        """Return the state of one app.

        Raises:
            AppNotFoundError: there is none, or it is not the owner's.
        """

    async def list_stamps(
        self, wanted: AppFilter, *, page: int, per_page: int
    ) -> tuple[list[ListedStamp], int]:
        """Return the stamps of one page of apps, newest first, and how many there are in all."""

    async def list_stamps_after(
        self, wanted: AppFilter, *, after: str, per_page: int
    ) -> tuple[list[ListedStamp], int]:
        """Return the stamps of the apps behind one, newest first, and how many there are in all.

        Raises:
            InvalidError: there is no such app, or it is not the owner's.
        """

    async def get_log_stamp(self, app_id: str, *, owner: int | None, level: str) -> LogStamp:
        """Return the state of an app's log.

        Raises:
            AppNotFoundError: there is no such app, or it is not the owner's.
        """

    async def list_operation_stamps(
        self, app_id: str, *, owner: int | None, page: int, per_page: int
    ) -> tuple[list[tuple[str, object]], int]:
        """Return ids and stamps of one page of an app's operations, newest first, and how many there are in all.

        Without an owner, also of an app that is gone.

        Raises:
            AppNotFoundError: there is no such app and there was none, or it is not the owner's.
        """


class AppReads(Protocol):
    """Reads of apps."""

    async def get_app(self, app_id: str, *, owner: int | None = None) -> App:
        """Return one app.

        Raises:
            AppNotFoundError: there is none, or it is not the owner's.
        """

    async def get_app_of_backup(self, app_id: str, made_by: str) -> App:
        """Return an app as it was in the backup that an operation made, also one that was removed."""

    async def list_all_apps(self, *, host_id: int | None = None) -> list[App]:
        """List every app."""

    async def list_apps_after(self, app_id: str, *, limit: int) -> list[App]:
        """List apps in the order of their ids, after one."""

    async def list_existing(self, app_ids: Sequence[str]) -> set[str]:
        """Return those of some ids that are ids of apps."""

    async def count_apps(self, *, host_id: int | None = None, revision: str = "") -> int:
        """Count the apps, of a host or of a catalog revision."""

    async def was_removed(self, app_id: str) -> bool:
        """Whether there was an app of this id, which was removed and is still known."""

    async def find_upgrade(self, app_id: str) -> Upgrade | None:
        """Return the upgrade that gave an app its version."""

    async def choose_port(self, host_id: int) -> int:
        """Choose a port that is free now."""


class OperationReads(Protocol):
    """Reads of operations."""

    async def get_operation(self, operation_id: str, *, app_id: str | None = None) -> Operation:
        """Return one operation.

        Raises:
            OperationNotFoundError: there is none, or it is another app's.
        """

    async def list_operations(
        self, app_id: str | None, *, page: int, per_page: int, status: str = ""
    ) -> tuple[list[Operation], int]:
        """Return one page of operations, newest first, and how many there are."""

    async def list_all_operations(
        self, wanted: OperationFilter, *, page: int, per_page: int, after: str = ""
    ) -> tuple[list[Operation], int]:
        """Return one page of the operations that a filter selects, newest first, and how many there are.

        Raises:
            InvalidError: there is no operation `after` that the page begins behind.
        """

    async def find_unfinished(self, app_id: str) -> Operation | None:
        """Return the operation under way on an app."""

    async def get_operation_standing(self, operation_id: str) -> str:
        """Return how far an operation is: unknown, unfinished, succeeded or failed."""

    async def get_former_status(self, operation_id: str) -> str:
        """Return the status that the app had before a delegated operation."""

    async def list_silent_delegations(self, *, seconds: float) -> Sequence[Operation]:
        """List unfinished delegated operations that nothing was reported of for `seconds`."""


class OperationWrites(Protocol):
    """Changes of operations."""

    async def add_app(self, app: App, begin: NewAppOperation, *, changes: Sequence[Change] = ()) -> bool:
        """Add an app with its first operation and further changes; False when its port was taken meanwhile."""

    async def begin(
        self,
        app_id: str,
        begin: NewAppOperation,
        *,
        values: Mapping[str, Any] | None = None,
        message: str = "",
        changes: Sequence[Change] = (),
    ) -> None:
        """Begin an operation, with changes in the same transaction.

        Raises:
            AppBusyError: another one is under way, or the app changed since it was read.
        """

    async def begin_destruction(self, subject: str, begin: NewAppOperation) -> None:
        """Begin to destroy a container that is no app's; `subject` names it, once for each operation id."""

    async def change(self, *changes: Change) -> None:
        """Apply changes in one transaction."""

    async def report(
        self,
        operation_id: str,
        values: Mapping[str, Any],
        *changes: Change,
        step: DelegatedStep | None = None,
    ) -> bool:
        """Set columns of an unfinished delegated operation, with changes; False if there is none."""

    async def request_cancel(self, operation_id: str) -> bool:
        """Request that an operation stops; False when it has ended."""

    async def replay(self, operation_id: str) -> bool:
        """Queue a dead operation again; False when it is not dead."""


class SummaryStore(Protocol):
    """Counts of the apps of an owner (None: of all) and of the operations on them."""

    async def count_by_status(self, *, owner: int | None) -> Mapping[str, int]:
        """Count the apps by status, without statuses that no app has."""

    async def count_by_revision(self, *, owner: int | None) -> Mapping[tuple[str, str], int]:
        """Count the apps by catalog item and revision."""

    async def count_operations(self, *, owner: int | None, failed_since: datetime) -> OperationCounts:
        """Count the operations that run, and those that failed since a time."""

    async def list_app_ids(self, *, owner: int | None) -> list[str]:
        """List the ids of the apps, the newest first."""

    async def list_counted_configs(self, *, owner: int) -> Sequence[AppConfig]:
        """List the configurations of the apps of an owner that count for a quota."""

    async def is_hostname_taken(self, hostname: str) -> bool:
        """Whether an app has a hostname."""


class AppStore(AppStamps, AppReads, OperationReads, OperationWrites, Sightings, SummaryStore, Protocol):
    """The database, as use cases need it."""
