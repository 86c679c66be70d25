"""Restoring a backup over its app: hold, stop, overwrite, start again if it ran, let go."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.backups.domain.changes import BackupChange, EndRestore
from services.backups.domain.entities import Place, ProgressReport, Task
from services.backups.domain.errors import RestoreFailedError
from services.backups.domain.interfaces import Apps, Containers
from services.backups.workflows.following import (
    TaskFailedError,
    end_task,
    follow_saved,
    follow_task,
    release_app,
    report,
    start_again,
)
from services.common.core.errors import BusyError
from services.common.operations.model import Context, Step, TransientError, WaitError, Workflow

KIND = "restore_backup"
_BROKEN = "CREATION_BROKEN"
_STORAGE_S = 30.0
_GONE = ". The container is gone; the app's backups are not: restore one of them, or delete the app"


@dataclass(frozen=True, kw_only=True)
class RestoreBackupState:
    """What is known.

    Attributes:
        was_running: whether the container ran before; None until it was looked at.
        overwriting: the container may no longer be what it was.
        recovered: after a failure, the container runs again.
        gone: after a failure, there is no container any more.
        upid: the Proxmox task of the step under way.
        ended: the backup is free again.
        made_by: the operation that made the backup.
    """

    operation_id: str
    backup_id: int
    app_id: str
    archive: str
    host_id: int
    vmid: int
    node: str
    was_running: bool | None = None
    overwriting: bool = False
    recovered: bool = False
    gone: bool = False
    upid: str = ""
    ended: bool = False
    made_by: str = ""

    @property
    def place(self) -> Place:
        """The app's container."""
        return Place(self.host_id, self.vmid, self.node)

    @property
    def task(self) -> Task:
        """The task under way."""
        return Task(self.host_id, self.node, self.upid)


@dataclass(frozen=True)
class RestoreBackup:
    """The steps."""

    apps: Apps
    containers: Containers

    async def claim_app(self, state: RestoreBackupState, _: Context) -> RestoreBackupState:
        """Hold the app; it may be held for us already."""
        app = await self.apps.begin_operation(
            state.app_id, state.operation_id, kind="restore", made_by=state.made_by
        )
        if app.host_id != state.host_id:
            raise RestoreFailedError(
                f"the archive is on Proxmox host {state.host_id}, the app on host {app.host_id}"
            )
        return replace(state, vmid=app.vmid, node=app.node)

    async def unclaim_app(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Let the app go: as it was, or in error when its container may be damaged."""
        damaged = state.overwriting and not state.recovered
        message = ctx.operation.error or f"Restoring backup {state.backup_id} failed; the backup says why"
        if state.gone:
            message += _GONE
        await release_app(
            self.apps,
            state.app_id,
            state.operation_id,
            succeeded=False,
            message=message,
            status="error" if damaged else "",
        )
        return state

    async def stop_container(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Stop the container if it runs, having written down that it did; not for an archive that is gone."""
        await self._require_archive(state)
        running = await self.containers.is_running(state.place)
        if state.was_running is None:
            state = replace(state, was_running=running)
            await ctx.save(state)
        if not running:
            return replace(state, upid="")
        await self._report(state, ctx, 1, message="Stopping the app")
        if not state.upid:
            task = await self.containers.stop_container(state.place, owner=state.app_id)
            state = await self._save_task(state, task, ctx)
        await follow_saved(self.containers, state, ctx)
        return replace(state, upid="")

    async def start_again(self, state: RestoreBackupState, _: Context) -> RestoreBackupState:
        """Start what was stopped. A container that cannot start, or is gone, leaves the app in error."""
        await end_task(self.containers, state.task)
        if state.overwriting and not await self.containers.has_container(state.place):
            return replace(state, gone=True)
        if not state.was_running:
            return state
        recovered = await start_again(self.containers, state.place, owner=state.app_id)
        return replace(state, overwriting=state.overwriting or not recovered, recovered=recovered)

    async def restore_archive(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Overwrite the container, or go on with the task that does."""
        if not state.upid:
            state = replace(state, overwriting=True)
            await ctx.save(state)
            state = await self._save_task(state, await self._begin_restore(state), ctx)
        await self._report(state, ctx, 2, message="Restoring the archive")

        async def note(percent: int) -> None:
            await ctx.progress(percent / 100)
            await self._report(state, ctx, 2, percent=percent)

        try:
            await follow_saved(self.containers, state, ctx, on_percent=note)
        except TaskFailedError as error:
            await ctx.save(replace(state, upid=""))
            if await self.containers.has_container(state.place):
                raise
            raise TransientError(error.message) from error  # nothing is left to lose: it is restored again
        return replace(state, upid="")

    async def _require_archive(self, state: RestoreBackupState) -> None:
        """Refuse to give a container up for an archive that is gone, or cannot be seen now."""
        if f"-{state.vmid}-" not in state.archive:
            return  # of another container: it is not among this one's
        archives, complete = await self.containers.list_archives(state.place)
        if any(one.volume_id == state.archive for one in archives):
            return
        if not complete:
            raise WaitError(f"the storage with the archive {state.archive}", delay=_STORAGE_S)
        raise RestoreFailedError(f"the archive {state.archive} is gone; the app is as it was")

    async def _begin_restore(self, state: RestoreBackupState) -> Task:
        """Begin to overwrite; what a restore left that was broken off is removed first."""
        try:
            return await self.containers.restore_container(
                state.place, owner=state.app_id, archive=state.archive
            )
        except BusyError as error:
            if error.reason != _BROKEN:
                raise
            task = await self.containers.destroy_container(state.place, owner=state.app_id)
            await follow_task(self.containers, task)
            raise TransientError(f"{error.message}; it was removed") from error

    async def start_container(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Start the container if it ran before."""
        if not state.was_running or await self.containers.is_running(state.place):
            return replace(state, upid="")
        await self._report(state, ctx, 3, message="Starting the app")
        if not state.upid:
            task = await self.containers.start_container(state.place, owner=state.app_id)
            state = await self._save_task(state, task, ctx)
        await follow_saved(self.containers, state, ctx)
        return replace(state, upid="")

    async def release_app(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Let the app go as it ran before; whoever sees that it is free finds the backup free too."""
        if not state.ended:
            state = replace(state, ended=True)
            await ctx.save(state, EndRestore(state.backup_id, state.app_id))
        await release_app(
            self.apps,
            state.app_id,
            state.operation_id,
            succeeded=True,
            message=f"Restored from backup {state.backup_id}",
            status="running" if state.was_running else "stopped",
        )
        return state

    async def _save_task(self, state: RestoreBackupState, task: Task, ctx: Context) -> RestoreBackupState:
        state = replace(state, upid=task.upid, node=task.node or state.node)
        await ctx.save(state)
        await ctx.note_upid(task.upid)
        return state

    async def _report(
        self, state: RestoreBackupState, ctx: Context, index: int, *, percent: int = 0, message: str = ""
    ) -> None:
        steps = ("claim_app", "stop_container", "restore_archive", "start_container")
        names = ("Holding the app", "Stopping the app", "Restoring the archive", "Starting the app")
        progress = (0, 5, 10 + percent * 80 // 100, 92)[index]
        news = ProgressReport(
            progress=progress,
            step=steps[index],
            description=names[index],
            step_index=index,
            step_count=4,
            message=message,
            attempt=ctx.operation.attempt or 1,
            worker=ctx.operation.worker,
            upid=state.upid,
        )
        await report(self.apps, state.app_id, state.operation_id, news=news)


def _end(state: RestoreBackupState) -> tuple[BackupChange, ...]:
    return () if state.ended else (EndRestore(state.backup_id, state.app_id),)


def _fail(state: RestoreBackupState, error: str, _: bool) -> tuple[BackupChange, ...]:
    return (EndRestore(state.backup_id, state.app_id, error),)


def build_workflow(apps: Apps, containers: Containers) -> Workflow[RestoreBackupState]:
    """The workflow that restores a backup over its app."""
    steps = RestoreBackup(apps, containers)
    return Workflow(
        KIND,
        (
            Step("claim_app", "Holding the app", steps.claim_app, steps.unclaim_app, weight=1),
            Step("stop_container", "Stopping the app", steps.stop_container, steps.start_again, weight=5),
            Step("restore_archive", "Restoring the archive", steps.restore_archive, weight=85),
            Step("start_container", "Starting the app", steps.start_container, weight=8),
            Step("release_app", "Releasing the app", steps.release_app, weight=1),
        ),
        RestoreBackupState,
        _end,
        _fail,
    )
