"""Apps, as use cases and workflows of other services need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.clients.apps.values import (
    AppHold,
    AppProbe,
    NewAppAnswer,
    PlannedDeployment,
    ProgressReport,
    RestoreBesideOrder,
    WantedDeployment,
)
from services.common.identity.tokens import User


class Apps(Protocol):
    """AppsInternalService. Each method may raise UnavailableError."""

    async def get_app_hold(self, app_id: str, *, user_id: int | None) -> AppHold:
        """Read an app and the operation that locks it.

        Raises:
            NotFoundError: there is no such app, or it is not the user's.
        """

    async def list_app_holds(self) -> Sequence[AppHold]:
        """List all apps by id, without the operations that lock them; `status` is the present one."""

    # The id is the caller's: a call whose answer was lost is repeated without locking twice.
    async def begin_operation(
        self, app_id: str, operation_id: str, *, kind: str, made_by: str = "", user: User | None = None
    ) -> AppHold:
        """Lock an app for a `backup` or `restore` on behalf of `user`; repeatable with the same operation id.

        `made_by` is the operation that made the backup to restore, which tells the version of the app in it.

        Raises:
            BusyError: another operation is under way.
            PreconditionError: the app's state does not allow it.
            NotFoundError: there is no such app.
        """

    async def report_operation(self, app_id: str, operation_id: str, *, report: ProgressReport) -> None:
        """Report progress to the app's users."""

    async def finish_operation(
        self, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
    ) -> None:
        """Unlock the app in `status` (running, stopped, error) or, when that is empty, in the one before."""

    async def probe_app(self, app_id: str, operation_id: str) -> AppProbe:
        """Probe an app's port once, for the operation that locks it, and refresh the app's address."""

    async def restore_beside(self, order: RestoreBesideOrder, *, user: User | None) -> NewAppAnswer:
        """Make a new app of an archive, for `user`.

        Raises UnavailableError also where it is on another host and apps is of a release that would ignore that.
        """

    async def check_restore_beside(self, order: RestoreBesideOrder, *, user: User | None) -> Sequence[str]:
        """Return why restore_beside would be refused now; nothing is recorded."""

    async def get_operation_standing(self, operation_id: str) -> str:
        """Return the standing of an operation of apps: unknown, unfinished, succeeded or failed."""

    async def find_removed_apps(self, app_ids: Sequence[str]) -> Sequence[str]:
        """Return those of up to 500 apps that were deleted."""


# A Protocol of its own: the only one that catalog needs, which must not depend on operations.
class Deployments(Protocol):
    """Planning by the service that carries deployments out."""

    async def plan_deployment(self, wanted: WantedDeployment, *, user: User | None) -> PlannedDeployment:
        """Return the choices that a deployment would make now; nothing is created.

        Raises:
            InvalidError: an input or a setting is wrong.
            UnavailableError: the service does not answer.
        """
