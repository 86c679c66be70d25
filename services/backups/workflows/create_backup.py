"""Making a backup: hold the app, let Proxmox make the archive, look at it, let the app go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.backups.domain.changes import BackupChange, CompleteBackup, FailBackup, NoteProgress
from services.backups.domain.entities import Archive, BackupOrder, Place, ProgressReport, Task
from services.backups.domain.errors import DumpFailedError
from services.backups.domain.interfaces import Apps, Containers
from services.backups.domain.usecases import check_backupable
from services.backups.workflows.following import (
    end_task,
    follow_saved,
    follow_task,
    release_app,
    report,
    start_again,
)
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.operations.model import Context, Step, TransientError, WaitError, Workflow

log = get_logger()

KIND = "create_backup"
_STORAGE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class CreateBackupState:
    """What is known.

    Attributes:
        mark: finds the archive again.
        upid: the task that makes it.
        was_running: whether the container ran before; None until it was looked at.
        left_stopped: after a failure, a container that was stopped for its archive cannot start again.
    """

    operation_id: str
    backup_id: int
    app_id: str
    mark: str
    backup_type: str
    compression: str
    storage: str
    notes: str
    host_id: int
    vmid: int
    node: str
    upid: str = ""
    again: bool = False
    volume_id: str = ""
    file_name: str = ""
    storage_name: str = ""
    size: int = 0
    was_running: bool | None = None
    left_stopped: bool = False

    @property
    def place(self) -> Place:
        """The app's container."""
        return Place(self.host_id, self.vmid, self.node)

    @property
    def task(self) -> Task:
        """The task that makes the archive."""
        return Task(self.host_id, self.node, self.upid, self.volume_id)


@dataclass(frozen=True)
class CreateBackup:
    """The steps."""

    apps: Apps
    containers: Containers

    async def claim_app(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Hold the app; it may be held for us already."""
        app = await self.apps.begin_operation(state.app_id, state.operation_id, kind="backup")
        check_backupable(app)
        return replace(state, host_id=app.host_id, vmid=app.vmid, node=app.node)

    async def unclaim_app(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Let the app go as it was, or in error when its container cannot start again."""
        message = ctx.operation.error or f"Backup {state.backup_id} failed; the backup says why"
        await release_app(
            self.apps,
            state.app_id,
            state.operation_id,
            succeeded=False,
            message=message,
            status="error" if state.left_stopped else "",
        )
        return state

    async def dump(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Begin the archive, or go on with the one begun, and wait for its end."""
        if state.was_running is None:
            state = replace(state, was_running=await self.containers.is_running(state.place))
            await ctx.save(state)
        if not state.upid and not state.volume_id:
            state = await self._begin_dump(state, ctx)

        async def note(percent: int) -> None:
            await ctx.save(state, NoteProgress(state.backup_id, percent))
            await ctx.progress(percent / 100)
            await self._report(state, ctx, percent=percent)

        await self._report(state, ctx, message="Making the archive")
        made = await follow_saved(self.containers, state, ctx, on_percent=note)
        return replace(state, volume_id=made or state.volume_id)

    async def _begin_dump(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        order = BackupOrder(
            backup_type=state.backup_type,
            compression=state.compression,
            storage=state.storage,
            notes=state.notes,
        )
        task = await self.containers.backup_container(
            state.place, owner=state.app_id, order=order, mark=state.mark
        )
        state = replace(state, node=task.node or state.node, upid=task.upid, volume_id=task.result)
        await ctx.save(state)
        await ctx.note_upid(task.upid)
        return state

    async def stop_dump(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Ask Proxmox to stop, so that the app is soon free; what does not stop is seen to afterwards.

        Where the container was stopped for the archive, Proxmox may have died over it: then it is started again.
        """
        if state.backup_type == "stop" and state.was_running:
            await self._end_dump(state)
            started = await start_again(self.containers, state.place, owner=state.app_id)
            return replace(state, left_stopped=not started)
        if state.upid:
            try:
                await self.containers.stop_task(state.task)
            except DomainError as error:
                log.warning("dump_not_stopped", backup_id=state.backup_id, error=error.message)
        return state

    async def _end_dump(self, state: CreateBackupState) -> None:
        await end_task(self.containers, state.task)
        if await self.containers.is_dumping(state.place):  # perhaps ours, begun by a worker that died over it
            raise WaitError("Proxmox to end an archive of the container")

    async def note_mark(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """The archive's mark is written down before an archive is made."""
        return state

    async def remove_archives(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Delete what carries our mark, once nothing makes an archive any more; the app is free before.

        Raises:
            WaitError: something may still make it, or a storage that may hold it does not answer.
        """
        await self.unclaim_app(state, ctx)  # the request held it, also where no step has
        await self._end_dump(state)
        archives, complete = await self.containers.list_archives(state.place)
        for archive in archives:
            if state.mark in archive.notes:
                task = await self.containers.delete_archive(state.host_id, archive.volume_id)
                await follow_task(self.containers, task)
        if not complete:
            raise WaitError("every storage that could hold the archive", delay=_STORAGE_S)
        return replace(state, upid="", volume_id="")

    async def record(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Look at the archive: where it is and how large. Where another one was made, ours is made once more."""
        if state.again:
            await follow_saved(self.containers, state, ctx)
        archives, complete = await self.containers.list_archives(state.place)
        archive = find_archive(archives, mark=state.mark)
        if archive is None and not complete:
            raise WaitError("the storage with the archive")
        if archive is None and not state.again:
            await self._begin_dump(replace(state, upid="", volume_id="", again=True), ctx)
            raise TransientError("the archive that was made is not ours; ours is made now")
        if archive is None:
            raise DumpFailedError(f"the archive {state.volume_id or state.mark} is on no storage")
        return replace(
            state,
            volume_id=archive.volume_id,
            file_name=archive.file_name,
            storage_name=archive.storage,
            size=archive.size,
        )

    async def release_app(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Let the app go as it was."""
        message = f"Backup {state.backup_id} completed: {state.file_name}"
        await release_app(self.apps, state.app_id, state.operation_id, succeeded=True, message=message)
        return state

    async def _report(
        self, state: CreateBackupState, ctx: Context, *, percent: int = 0, message: str = ""
    ) -> None:
        news = ProgressReport(
            progress=percent,
            step="dump",
            description="Making the archive",
            step_index=1,
            step_count=3,
            message=message,
            attempt=ctx.operation.attempt or 1,
            worker=ctx.operation.worker,
            upid=state.upid,
        )
        await report(self.apps, state.app_id, state.operation_id, news=news)


def find_archive(archives: Sequence[Archive], *, mark: str) -> Archive | None:
    """The archive of a mark, which is in its notes."""
    return next((archive for archive in archives if mark in archive.notes), None)


def _complete(state: CreateBackupState) -> tuple[BackupChange, ...]:
    return (
        CompleteBackup(
            backup_id=state.backup_id,
            app_id=state.app_id,
            volume_id=state.volume_id,
            file_name=state.file_name,
            storage=state.storage_name,
            size=state.size,
        ),
    )


def _fail(state: CreateBackupState, error: str, _: bool) -> tuple[BackupChange, ...]:
    return (FailBackup(state.backup_id, state.app_id, error),)


def build_workflow(apps: Apps, containers: Containers) -> Workflow[CreateBackupState]:
    """The workflow that makes a backup."""
    steps = CreateBackup(apps, containers)
    return Workflow(
        KIND,
        (
            Step("note_mark", "Noting the archive's mark", steps.note_mark, steps.remove_archives, weight=1),
            Step("claim_app", "Holding the app", steps.claim_app, steps.unclaim_app, weight=1),
            Step("dump", "Making the archive", steps.dump, steps.stop_dump, weight=95),
            Step("record", "Looking at the archive", steps.record, weight=2),
            Step("release_app", "Releasing the app", steps.release_app, weight=1),
        ),
        CreateBackupState,
        _complete,
        _fail,
    )
