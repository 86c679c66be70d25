"""Making a backup: hold the app, let Proxmox make the archive, look at it, let the app go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.backups.domain.changes import BackupChange, CompleteBackup, FailBackup, NoteProgress
from services.backups.domain.entities import Archive, BackupOrder, Place, Report, Task
from services.backups.domain.errors import DumpFailedError
from services.backups.domain.interfaces import Apps, Containers
from services.backups.domain.usecases import check_backupable
from services.backups.workflows.following import follow_task, release_app, report, stop_quietly
from services.common.errors import DomainError
from services.common.log import get_logger
from services.common.operations.model import Context, Step, WaitError, Workflow

log = get_logger()

KIND = "create_backup"


@dataclass(frozen=True, kw_only=True)
class CreateBackupState:
    """What is known; `mark` finds the archive again, `upid` is the task that makes it."""

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
    volume_id: str = ""
    file_name: str = ""
    storage_name: str = ""
    size: int = 0

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
        """Let the app go as it was."""
        message = ctx.operation.error or f"Backup {state.backup_id} failed; the backup says why"
        await release_app(self.apps, state.app_id, state.operation_id, succeeded=False, message=message)
        return state

    async def dump(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Begin the archive, or go on with the one begun, and wait for its end."""
        if not state.upid and not state.volume_id:
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

        async def note(percent: int) -> None:
            await ctx.save(state, NoteProgress(state.backup_id, percent))
            await ctx.progress(percent / 100)
            await self._report(state, percent)

        await self._report(state, 0, message="Making the archive")
        made = await follow_task(self.containers, state.task, on_percent=note)
        return replace(state, volume_id=made or state.volume_id)

    async def remove_dump(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Stop what still runs and delete what carries our mark. What cannot be reached now goes with the backup."""
        try:
            await stop_quietly(self.containers, state.task)
            archives, _complete = await self.containers.list_archives(state.place)
            for archive in archives:
                if state.mark in archive.notes:
                    task = await self.containers.delete_archive(state.host_id, archive.volume_id)
                    await follow_task(self.containers, task)
        except (DomainError, WaitError) as error:
            log.warning("archive_left", backup_id=state.backup_id, mark=state.mark, error=str(error))
        return replace(state, upid="", volume_id="")

    async def record(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Look at the archive: where it is and how large."""
        archives, complete = await self.containers.list_archives(state.place)
        archive = find_archive(archives, volume_id=state.volume_id, mark=state.mark)
        if archive is None and not complete:
            raise WaitError("the storage with the archive")
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

    async def _report(self, state: CreateBackupState, percent: int, *, message: str = "") -> None:
        news = Report(
            progress=percent,
            step="dump",
            description="Making the archive",
            step_index=1,
            step_count=4,
            message=message,
        )
        await report(self.apps, state.app_id, state.operation_id, news=news)


def find_archive(archives: Sequence[Archive], *, volume_id: str, mark: str) -> Archive | None:
    """The archive of a name or of a mark, which is in its notes."""
    for archive in archives:
        if archive.volume_id == volume_id or mark in archive.notes:
            return archive
    return None


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


def build_workflow(apps: Apps, containers: Containers) -> Workflow:
    """The workflow that makes a backup."""
    steps = CreateBackup(apps, containers)
    return Workflow(
        KIND,
        (
            Step("claim_app", "Holding the app", steps.claim_app, steps.unclaim_app, weight=1),
            Step("dump", "Making the archive", steps.dump, steps.remove_dump, weight=96),
            Step("record", "Looking at the archive", steps.record, weight=2),
            Step("release_app", "Releasing the app", steps.release_app, weight=1),
        ),
        CreateBackupState,
        _complete,
        _fail,
    )
