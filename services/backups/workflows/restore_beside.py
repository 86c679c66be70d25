"""RestoreBackup beside the app: the archive is locked while apps makes a new app of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.backups.domain.changes import BackupChange, FreeBackup
from services.clients.apps.interface import Apps
from services.common.core.clock import now
from services.common.operations.model import Context, Step, WaitError, Workflow

KIND = "restore_beside"
_LOOK_S = 1.0  # between polls of the operation of apps, which takes a minute or more
_REQUEST_TIME = timedelta(minutes=1)  # within which a request that was sent may still reach apps


@dataclass(frozen=True, kw_only=True)
class RestoreBesideState:
    """The backup whose archive is read; the operation of apps has the same id."""

    operation_id: str
    backup_id: int


@dataclass(frozen=True)
class RestoreBeside:
    """Step of RestoreBackup beside the app."""

    apps: Apps

    async def await_app(self, state: RestoreBesideState, ctx: Context) -> RestoreBesideState:
        """Wait until the operation of apps has ended, whatever its outcome.

        Raises:
            WaitError: it has not.
        """
        standing = await self.apps.get_operation_standing(state.operation_id)
        may_come = standing == "unknown" and now() - ctx.operation.created_at < _REQUEST_TIME
        if standing == "unfinished" or may_come:
            raise WaitError("the new app to be made", delay=_LOOK_S)
        return state


def _free(state: RestoreBesideState) -> tuple[BackupChange, ...]:
    return (FreeBackup(state.backup_id),)


def build_workflow(apps: Apps) -> Workflow[RestoreBesideState]:
    """Build the workflow that locks an archive while a new app is made of it."""
    steps = RestoreBeside(apps)
    return Workflow(
        KIND,
        (Step("await_app", "Waiting for the new app", steps.await_app),),
        RestoreBesideState,
        _free,
        lambda state, _failure: _free(state),
    )
