"""CreateBackup: lock the app, let Proxmox make the archive, check it, release the app."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from services.backups.domain.changes import (
    BackupChange,
    FailBackup,
    NoteProgress,
    NoteWaiting,
)
from services.backups.domain.errors import DumpFailedError
from services.backups.domain.estimates import estimate_percent
from services.backups.domain.preconditions import check_backupable
from services.backups.workflows.create_backup_state import CreateBackupState
from services.backups.workflows.steps.app_lock import await_answer, find_reported, release_app, report_step
from services.backups.workflows.steps.app_record import note_left_out, record_app
from services.backups.workflows.steps.archive_tasks import (
    TaskState,
    await_node,
    delete_archives,
    find_archive,
    follow,
    start_again,
)
from services.clients.apps.interface import Apps
from services.clients.inventory.errors import TaskHinderedError
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import is_running
from services.clients.inventory.tasks import end_task
from services.clients.inventory.values import TaskKind, TaskProgress
from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.operations.model import Context, Step, TransientError, WaitError, Workflow

log = get_logger()

KIND = "create_backup"
_STORAGE_S = 30.0  # between polls of a storage that does not answer: an NFS server restarts in minutes
# The steps that the app's users see, in order; the mark and the release are internal.
_REPORTED = (
    ("claim_app", "Locking the app"),
    ("dump", "Making the archive"),
    ("record", "Checking the archive"),
    ("probe", "Waiting for the application to answer"),
)


@dataclass(frozen=True)
class CreateBackup:
    """Steps of CreateBackup."""

    apps: Apps
    containers: Containers

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
            state.operation_id,
            succeeded=False,
            message=message,
            # A container that cannot start again must not look as if somebody had stopped the app.
            status="error" if state.left_stopped else "",
        )
        return state

    async def dump(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Begin the archive, or resume the one that was begun, and wait for its end."""
        # Found out once: after a crash in mode stop the container may be stopped by vzdump itself.
        if state.was_running is None:
            state = replace(state, was_running=await is_running(self.containers, state.ref))
            await ctx.save(state)
            if warning := await note_left_out(self.containers, state, ctx):
                await self._report(state, ctx, message=warning, level="warning")
            # Before the archive is made: what a test compares with must be what the archive has.
            await record_app(self.apps, self.containers, state, ctx)
        # A volume without a task: the archive was complete when a worker came back for it.
        if not state.upid and not state.volume_id:
            await await_node(self.containers, state.ref)
            state = await self._begin_dump(state, ctx)
        await self._report(state, ctx, message="Making the archive")
        followed = TaskState(state, partial(self.note, ctx=ctx))
        try:
            made = await follow(self.containers, state.task, on_progress=followed.note)
        except TaskHinderedError:
            await ctx.save(replace(followed.state, upid="", volume_id=""))  # another task is started
            raise
        state = followed.state
        return replace(state, volume_id=made or state.volume_id)

    async def _begin_dump(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        task = await self.containers.backup_container(state.ref, owner=state.app_id, new=state.new_archive)
        state = replace(
            state,
            node=task.node or state.node,
            upid=task.upid,
            volume_id=task.result,
            volume_ids=tuple(dict.fromkeys([*state.volume_ids, *([task.result] if task.result else [])])),
            began_at=now().timestamp(),
        )
        await ctx.save(state)
        await ctx.note_upid(task.upid)
        return state

    async def stop_dump(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Stop the task, so that the app is soon unlocked; `remove_archives` ends what does not stop.

        Where the container was stopped for the archive, Proxmox may have died over it: then it is started again.
        """
        if state.backup_type == "stop" and state.was_running:
            await self.end_dump(state)
            started = await start_again(self.containers, state.ref, owner=state.app_id)
            return replace(state, left_stopped=not started)
        if state.upid:
            try:
                await self.containers.stop_task(state.task)
            except DomainError as error:
                log.warning("dump_not_stopped", backup_id=state.backup_id, error=error.message)
        return state

    async def end_dump(self, state: CreateBackupState) -> None:
        """End the task; raise WaitError while any archive of the container is being made."""
        await end_task(self.containers, state.task)
        tasks = await self.containers.list_container_tasks(state.ref)
        # Perhaps ours, of a worker that died before it saved it.
        if any(one.kind is TaskKind.BACKUP for one in tasks):
            raise WaitError("Proxmox to end an archive of the container")

    async def note_mark(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Persist the archive's mark before an archive is made."""
        return state

    async def remove_archives(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Release the app, then delete the archives of this operation's tasks once none makes another.

        Raises:
            WaitError: a task may still make one, or a storage that may have one does not answer.
        """
        await self.unclaim_app(state, ctx)  # the request locked it, also where no step has
        await self.end_dump(state)
        listing = await self.containers.list_archives(state.ref)
        marked = [one.volume_id for one in listing.archives if one.has_backup_id(state.mark)]
        await delete_archives(self.containers, state.host_id, {*state.volume_ids, *marked})
        if not listing.complete:
            raise WaitError("every storage that could have the archive", delay=_STORAGE_S)
        return replace(state, upid="", volume_id="", volume_ids=())

    async def record(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Check place and size of the archive; delete archives that earlier tasks of this backup left.

        Raises:
            TransientError: no storage lists it; a storage of a network may be late.
            DumpFailedError: it is empty.
        """
        listing = await self.containers.list_archives(state.ref)
        archive = find_archive(listing.archives, backup_id=state.mark, volume_id=state.volume_id)
        if archive is None and not listing.complete:
            raise WaitError("the storage with the archive")
        if archive is None:
            raise TransientError(f"the archive {state.volume_id or state.mark} is on no storage")
        if archive.size <= 0:
            raise DumpFailedError(
                f"Proxmox says that it made the archive {archive.volume_id}, and it is empty"
            )
        # A worker may have died before it saved the task, and with it the volume, that it had begun.
        marked = {one.volume_id for one in listing.archives if one.has_backup_id(state.mark)}
        others = ({*state.volume_ids} | marked) - {archive.volume_id}
        await delete_archives(self.containers, state.host_id, others)
        return replace(
            state,
            volume_id=archive.volume_id,
            volume_ids=(archive.volume_id,),
            file_name=archive.file_name,
            storage_name=archive.storage,
            size=archive.size,
        )

    async def probe_app(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Probe an app that was stopped for its archive; the backup completes if the app does not answer, too."""
        if state.backup_type != "stop" or not state.was_running:
            return state
        await self._report(state, ctx, index=3, percent=97)
        unanswered = await await_answer(self.apps, state.app_id, state.operation_id)
        return replace(state, unanswered=unanswered)

    async def release_app(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Release the app as it was, or in error when it does not answer since it was stopped."""
        message = f"Backup {state.backup_id} completed: {state.file_name}"
        await release_app(
            self.apps,
            state.app_id,
            state.operation_id,
            succeeded=not state.unanswered,
            message=f"{message}. The app was stopped for it: {state.unanswered}"
            if state.unanswered
            else message,
            status="error" if state.unanswered else "",
        )
        return state

    async def note(
        self, state: CreateBackupState, progress: TaskProgress, *, ctx: Context
    ) -> CreateBackupState:
        """Save the progress of a running task: the archive's name, and its percentage or an estimate."""
        # Saved at once: a task that is broken off leaves its file, and this name is all that leads to it.
        if progress.result and progress.result not in state.volume_ids:
            state = replace(state, volume_ids=(*state.volume_ids, progress.result))
            await ctx.save(state)
        if progress.done:
            return state
        # vzdump writes no percentages while it packs the files of a container.
        estimated = estimate_percent(now().timestamp() - state.began_at, state.expected_s)
        percent = estimated if progress.percent is None else progress.percent
        await ctx.save(state, NoteProgress(state.backup_id, percent))
        await ctx.progress(percent / 100)
        await self._report(state, ctx, percent=percent)
        return state

    async def note_waiting(self, state: CreateBackupState, ctx: Context, step: str, reason: str) -> None:
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
            ctx,
            steps=_REPORTED,
            index=index,
            progress=percent,
            message=message,
            level=level,
            waiting_for=waiting_for,
        )


def _complete(state: CreateBackupState) -> tuple[BackupChange, ...]:
    return (state.completion,)


def _fail(state: CreateBackupState, error: str, _: bool) -> tuple[BackupChange, ...]:
    return (FailBackup(state.backup_id, state.app_id, error),)


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
