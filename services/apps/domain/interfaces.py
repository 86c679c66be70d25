"""What the domain needs of the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from services.apps.domain.entities import App, Change, NewAppOperation, Upgrade
from services.apps.domain.sightings import Sightings

PlanSteps = Callable[[str, Mapping[str, Any]], tuple[tuple[str, str], ...]]
"""Names and descriptions of the steps of an operation, from its kind and state."""


class AppStore(Sightings, Protocol):
    """What use cases need of the database."""

    async def get_app(self, app_id: str, *, owner: int | None = None) -> App:
        """One app."""

    async def was_removed(self, app_id: str) -> bool:
        """Whether there was an app of this id, which was removed and is still known."""

    async def get_app_of_backup(self, app_id: str, made_by: str) -> App:
        """An app as it was in the backup that an operation made, also one that was removed."""

    async def list_all_apps(self, *, host_id: int | None = None) -> list[App]:
        """Every app."""

    async def choose_port(self, host_id: int) -> int:
        """A port that is free now."""

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
        """Begin an operation, with changes in the same transaction."""

    async def begin_orphan(self, subject: str, begin: NewAppOperation) -> None:
        """Begin an operation on a container that is not an app's; `subject` names it, once for each operation id."""

    async def find_upgrade(self, app_id: str) -> Upgrade | None:
        """The upgrade that an app owes its version to."""

    async def change(self, *changes: Change) -> None:
        """Apply changes."""

    async def request_cancel(self, operation_id: str) -> bool:
        """Ask an operation to stop; False when it has ended."""
