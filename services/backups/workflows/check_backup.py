"""CheckBackup: read an archive on a node, to its end, and write down whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass

from services.backups.domain.archive_checks import ArchiveCheckStatus
from services.backups.domain.changes import BackupChange, EndCheck
from services.clients.inventory.interface import Containers
from services.common.core.errors import NotFoundError
from services.common.operations.model import Context, Failure, Step, StepResult, Workflow

KIND = "check_backup"
_LIMIT_S = 6 * 3600  # of reading: 1 TB at 50 MB/s, which the lowest priority of a busy disk leaves
# The node may read other archives before, each for as long.
_TIMEOUT_S = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class CheckBackupState:
    """The backup, its archive, and whether the outcome is written."""

    operation_id: str
    backup_id: int
    host_id: int
    archive: str
    ended: bool = False


@dataclass(frozen=True)
class CheckBackup:
    """Step of CheckBackup."""

    containers: Containers

    async def read_archive(self, state: CheckBackupState, _: Context) -> StepResult[CheckBackupState]:
        """Read the archive; one that is gone meanwhile is not broken.

        Raises:
            UnavailableError: the node does not answer; it is read again.
            BusyError: the node reads another one.
        """
        try:
            outcome = await self.containers.check_archive(state.host_id, state.archive, limit_s=_LIMIT_S)
        # Deleted or pruned meanwhile: the comparison of archives notes that, and a check has nothing to add.
        except NotFoundError as error:
            return _end_with(state, ArchiveCheckStatus.NOT_CHECKED, message=error.message)
        return _end_with(state, ArchiveCheckStatus(outcome.status), message=outcome.reason, node=outcome.node)


def _end_with(
    state: CheckBackupState, status: ArchiveCheckStatus, *, message: str, node: str = ""
) -> StepResult[CheckBackupState]:
    ended = CheckBackupState(
        operation_id=state.operation_id,
        backup_id=state.backup_id,
        host_id=state.host_id,
        archive=state.archive,
        ended=True,
    )
    return StepResult(ended, (EndCheck(state.backup_id, status, message, node),))


def _fail(state: CheckBackupState, failure: Failure) -> tuple[BackupChange, ...]:
    # The outcome is written already: a failure behind it must not replace it.
    if state.ended:
        return ()
    reason = "the check was cancelled" if failure.cancelled else failure.error
    return (EndCheck(state.backup_id, ArchiveCheckStatus.NOT_CHECKED, reason),)


def build_workflow(containers: Containers) -> Workflow[CheckBackupState]:
    """Build the workflow that checks the archive of a backup."""
    steps = CheckBackup(containers)
    return Workflow(
        KIND,
        (Step("read_archive", "Reading the archive", steps.read_archive),),
        CheckBackupState,
        lambda _state: (),
        _fail,
        timeout_s=_TIMEOUT_S,
    )
