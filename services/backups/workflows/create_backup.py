"""CreateBackup: lock the app, let Proxmox make the archive, check it, release the app."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.backups.domain.changes import (
    BackupChange,
    FailBackup,
    NoteWaiting,
)
from services.backups.domain.estimates import estimate_percent
from services.backups.domain.preconditions import check_backupable
from services.backups.workflows.create_backup_state import CreateBackupState
from services.backups.workflows.steps.app_lock import await_answer, find_reported, release_app, report_step
from services.backups.workflows.steps.archive_maker import ArchiveMaker
from services.clients.apps.interface import Apps
from services.clients.inventory.interface import Containers
from services.common.core.clock import now
from services.common.core.log import get_logger
from services.common.operations.model import Context, Failure, Step, Workflow

log = get_logger()

KIND = "create_backup"
# The steps that the app's users see, in order; the mark and the release are internal.
_REPORTED = (
    ("claim_app", "Locking the app"),
    ("dump", "Making the archive"),
    ("record", "Checking the archive"),
    ("probe", "Waiting for the application to answer"),
)


@dataclass(frozen=True)
class CreateBackup(ArchiveMaker):
    """Steps of CreateBackup."""

    async def claim_app(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Lock the app; the request may have locked it already."""
        app = await self.apps.begin_operation(state.app_id, state.operation_id, kind="backup")
        # Behind the lock: until then another operation might still change the status.
        check_backupable(app)
        await self._report(state, ctx, index=0)
        return replace(state, host_id=app.host_id, vmid=app.vmid, node=app.node)

    async def unclaim_app(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Release the app as it was, or in error when its container cannot start again."""
        message = ctx.operation.error or f"Backup {state.backup_id} failed; the backup says why"
        await release_app(
            self.apps,
            state.app_id,
            operation_id=state.operation_id,
            succeeded=False,
            message=message,
            # A container that cannot start again must not look as if somebody had stopped the app.
            status="error" if state.left_stopped else "",
        )
        return state

    async def note_mark(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Persist the archive's mark before an archive is made."""
        return state

    async def remove_archives(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Release the app, then delete the archives of this operation's tasks once none makes another.

        Raises:
            WaitError: a task may still make one, or a storage that may have one does not answer.
        """
        await self.unclaim_app(state, ctx)  # the request locked it, also where no step has
        await self.delete_made(state)
        return replace(state, upid="", volume_id="", volume_ids=())

    async def probe_app(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Probe an app that was stopped for its archive; the backup completes if the app does not answer, too."""
        if state.backup_type != "stop" or not state.was_running:
            return state
        await self._report(state, ctx, index=3, percent=97)
        unanswered = await await_answer(self.apps, state.app_id, operation_id=state.operation_id)
        return replace(state, unanswered=unanswered)

    async def release_app(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Release the app as it was, or in error when it does not answer since it was stopped."""
        message = f"Backup {state.backup_id} completed: {state.file_name}"
        await release_app(
            self.apps,
            state.app_id,
            operation_id=state.operation_id,
            succeeded=not state.unanswered,
            message=f"{message}. The app was stopped for it: {state.unanswered}"
            if state.unanswered
            else message,
            status="error" if state.unanswered else "",
        )
        return state

    async def note_waiting(self, state: CreateBackupState, ctx: Context, *, step: str, reason: str) -> None:
        """Show what holds the backup up, in the backup and in its app."""
        await ctx.save(state, NoteWaiting(state.backup_id, reason))
        percent = estimate_percent(now().timestamp() - state.began_at, state.expected_s) if state.upid else 0
        index = find_reported(_REPORTED, step)
        await self._report(state, ctx, index=index, percent=percent, waiting_for=reason)

    async def _report(
        self,
        state: CreateBackupState,
        ctx: Context,
        *,
        index: int = 1,
        percent: int = 0,
        message: str = "",
        level: str = "info",
        waiting_for: str = "",
    ) -> None:
        await report_step(
            self.apps,
            state,
            ctx=ctx,
            steps=_REPORTED,
            index=index,
            progress=percent,
            message=message,
            level=level,
            waiting_for=waiting_for,
        )


def _complete(state: CreateBackupState) -> tuple[BackupChange, ...]:
    return (state.completion,)


def _fail(state: CreateBackupState, failure: Failure) -> tuple[BackupChange, ...]:
    return (FailBackup(state.backup_id, state.app_id, failure.error),)


def build_workflow(apps: Apps, containers: Containers) -> Workflow[CreateBackupState]:
    """Build the workflow that makes a backup."""
    steps = CreateBackup(apps, containers)
    return Workflow(
        KIND,
        (
            # First, and without work of its own: its undo is the last one, and runs where nothing else was begun.
            Step("note_mark", "Noting the archive's mark", steps.note_mark, steps.remove_archives, weight=1),
            Step("claim_app", "Locking the app", steps.claim_app, steps.unclaim_app, weight=1),
            Step("dump", "Making the archive", steps.dump, steps.stop_dump, weight=95),
            Step("record", "Checking the archive", steps.record, weight=2),
            Step("probe", "Waiting for the application to answer", steps.probe_app, weight=1),
            Step("release_app", "Releasing the app", steps.release_app, weight=1),
        ),
        CreateBackupState,
        _complete,
        _fail,
        on_waiting=steps.note_waiting,
    )
