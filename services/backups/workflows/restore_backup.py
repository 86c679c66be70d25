"""RestoreBackup over the app: lock, stop, overwrite, start again if it ran, probe, release."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.backups.domain.changes import BackupChange, EndRestore, LoseArchive
from services.backups.domain.errors import RestoreFailedError
from services.backups.domain.preconditions import check_volumes, describe_missing, find_storage
from services.backups.workflows.restore_backup_state import SAFETY_STEP, RestoreBackupState, list_steps
from services.backups.workflows.safety_backup import make_safety_backup, undo_safety_backup
from services.backups.workflows.steps.app_lock import await_answer, find_reported, release_app, report_step
from services.backups.workflows.steps.archive_tasks import follow, follow_saved, start_again
from services.clients.apps.interface import Apps
from services.clients.inventory.errors import TaskFailedError
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import has_container, is_running
from services.clients.inventory.tasks import end_task
from services.clients.inventory.values import Task, TaskProgress
from services.common.core.errors import BusyError, NotFoundError, TransientError
from services.common.operations.model import Context, Failure, Step, StepResult, WaitError, Workflow

KIND = "restore_backup"
_BROKEN = "CREATION_BROKEN"
_STORAGE_S = 30.0  # between polls of a storage that does not answer: an NFS server restarts in minutes
# Percent of the operation at the beginning of each; the restore goes from 10 to 85 by its own percentage.
_PROGRESS = {"claim_app": 0, "safety_backup": 1, "stop_container": 5, "start_container": 88, "probe": 92}
_GONE = ". The container is gone; the app's backups are not: restore one of them, or delete the app"


@dataclass(frozen=True)
class RestoreBackup:
    """Steps of RestoreBackup over the app."""

    apps: Apps
    containers: Containers

    async def claim_app(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Lock the app; the request may have locked it already."""
        app = await self.apps.begin_operation(
            state.app_id, state.operation_id, kind="restore", made_by=state.made_by
        )
        # The app may have been moved since the request: storages of another host do not have the archive.
        if app.host_id != state.host_id:
            raise RestoreFailedError(
                f"the archive is on Proxmox host {state.host_id}, the app on host {app.host_id}"
            )
        await self._report(state, ctx, step="claim_app")
        return state.take_app(app)

    async def unclaim_app(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Release the app: as it was, or in error when its container may be damaged or does not answer."""
        # A container that was overwritten in part has neither the former data nor that of the archive.
        damaged = (state.overwriting and not state.recovered) or state.unanswered
        message = ctx.operation.error or f"Restoring backup {state.backup_id} failed; the backup says why"
        if state.gone:
            message += _GONE
        await release_app(
            self.apps,
            state.app_id,
            operation_id=state.operation_id,
            succeeded=False,
            message=message,
            status="error" if damaged else "",
        )
        return state

    async def make_safety_backup(
        self, state: RestoreBackupState, ctx: Context
    ) -> RestoreBackupState | StepResult[RestoreBackupState]:
        """Check the archive, and back the app up as it is."""
        await self._require_archive(state, ctx)
        await self._require_volumes(state)
        # Both were checked first: a backup takes up to hours, all of them lost where the restore is refused.
        await self._report(state, ctx, step=SAFETY_STEP[0], message=SAFETY_STEP[1])
        return await make_safety_backup(
            self.apps, self.containers, state=state, ctx=ctx, steps=list_steps(state)
        )

    async def undo_safety_backup(self, state: RestoreBackupState, _: Context) -> RestoreBackupState:
        """Delete what is left of a backup that was not completed."""
        return await undo_safety_backup(self.apps, self.containers, state=state)

    async def stop_container(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Check the archive, persist whether the container runs, and stop it."""
        await self._require_archive(state, ctx)
        await self._require_volumes(state)
        # Checked again by the lines above: while the other backup was made, Proxmox may have pruned the archive.
        running = await is_running(self.containers, state.ref)
        # Saved before it is stopped: afterwards nothing says whether it is to run again.
        if state.was_running is None:
            state = replace(state, was_running=running, to_run=running or await self._is_to_run(state))
            await ctx.save(state)
        if not running:
            return replace(state, upid="")
        await self._report(state, ctx, step="stop_container", message="Stopping the app")
        if not state.upid:
            task = await self.containers.stop_container(state.ref, owner=state.app_id)
            state = await self._save_task(state, task, ctx=ctx)
        await follow_saved(self.containers, state, ctx=ctx)
        return replace(state, upid="")

    async def _is_to_run(self, state: RestoreBackupState) -> bool:
        """Whether an app whose container does not run is to run after the restore.

        A failure before may have left a container that does not run, or none: what the app was before that counts. A
        container that rests while the app is not in error was stopped.
        """
        in_error = state.app_status == "error"
        return state.settled_status == "running" and (
            in_error or not await has_container(self.containers, state.ref)
        )

    async def start_again(self, state: RestoreBackupState, _: Context) -> RestoreBackupState:
        """Start the container that was stopped; one that cannot start, or is gone, leaves the app in error."""
        await end_task(self.containers, state.task)
        # It runs with the data of the archive, and does not answer: another start would change nothing.
        if state.unanswered:
            return state
        if state.overwriting and not await has_container(self.containers, state.ref):
            return replace(state, gone=True)
        if not state.was_running:
            return state
        recovered = await start_again(self.containers, state.ref, owner=state.app_id)
        return replace(state, overwriting=state.overwriting or not recovered, recovered=recovered)

    async def restore_archive(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Overwrite the container, or resume the task that does."""
        if not state.upid:
            # Saved before the request: from here on a crash may leave half of a container.
            state = replace(state, overwriting=True)
            await ctx.save(state)
            state = await self._save_task(state, await self._begin_restore(state), ctx=ctx)
        await self._report(state, ctx, step="restore_archive", message="Restoring the archive")

        async def note(progress: TaskProgress) -> None:
            await self._report(state, ctx, step="restore_archive", percent=progress.percent or 0)

        try:
            await follow_saved(self.containers, state, ctx=ctx, on_progress=note)
        except TaskFailedError as error:
            await ctx.save(replace(state, upid=""))
            if await has_container(self.containers, state.ref):
                raise
            raise TransientError(error.message) from error  # nothing is left to lose: it is restored again
        return replace(state, upid="")

    async def _require_archive(self, state: RestoreBackupState, ctx: Context) -> None:
        """Refuse to overwrite a container with an archive that is gone, or whose storage does not answer."""
        if f"-{state.vmid}-" not in state.archive:
            return  # of another container: it is not among this one's
        listing = await self.containers.list_archives(state.ref, storage=find_storage(state.archive))
        if any(one.volume_id == state.archive for one in listing.archives):
            return
        if not listing.complete:
            raise WaitError(f"the storage with the archive {state.archive}", delay=_STORAGE_S)
        await ctx.save(replace(state, archive_gone=True))
        raise RestoreFailedError(f"{describe_missing(state.archive)}; the app is as it was")

    async def _require_volumes(self, state: RestoreBackupState) -> None:
        """Refuse to destroy volumes that are not in the archive, unless the request named them."""
        try:
            volumes = await self.containers.list_unarchived_volumes(
                state.ref, owner=state.app_id, archive=state.archive
            )
        except NotFoundError:
            return  # there is no container any more, so nothing is lost
        check_volumes(volumes, backup_id=state.backup_id, lose_volumes=state.lose_volumes)

    async def _begin_restore(self, state: RestoreBackupState) -> Task:
        """Begin to overwrite; the container that an interrupted restore left is destroyed first."""
        try:
            return await self.containers.restore_container(
                state.ref,
                owner=state.app_id,
                archive=state.archive,
                storage=state.storage,
                lose_volumes=tuple(state.lose_volumes),
            )
        except BusyError as error:
            if error.reason != _BROKEN:
                raise
            task = await self.containers.destroy_container(state.ref, owner=state.app_id)
            await follow(self.containers, task)
            raise TransientError(f"{error.message}; it was removed") from error

    async def start_container(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Start the container if the app is to run."""
        if not state.runs_after or await is_running(self.containers, state.ref):
            return replace(state, upid="")
        await self._report(state, ctx, step="start_container", message="Starting the app")
        if not state.upid:
            task = await self.containers.start_container(state.ref, owner=state.app_id)
            state = await self._save_task(state, task, ctx=ctx)
        await follow_saved(self.containers, state, ctx=ctx)
        return replace(state, upid="")

    async def probe_app(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Probe the restored app, at its current address.

        Raises:
            RestoreFailedError: it does not; the app has the archive's data and is in error.
        """
        if not state.runs_after:
            return state
        await self._report(state, ctx, step="probe")
        if problem := await await_answer(self.apps, state.app_id, operation_id=state.operation_id):
            await ctx.save(replace(state, unanswered=True))
            raise RestoreFailedError(f"the backup was restored, and the app does not answer: {problem}")
        return state

    async def release_app(self, state: RestoreBackupState, ctx: Context) -> RestoreBackupState:
        """Release the app in its status before; the backup is free earlier, so that the next request finds both free."""
        if not state.ended:
            state = replace(state, ended=True)
            await ctx.save(state, EndRestore(state.backup_id, state.app_id))
        await release_app(
            self.apps,
            state.app_id,
            operation_id=state.operation_id,
            succeeded=True,
            message=f"Restored from backup {state.backup_id}",
            status="running" if state.runs_after else "stopped",
        )
        return state

    async def _save_task(self, state: RestoreBackupState, task: Task, *, ctx: Context) -> RestoreBackupState:
        state = replace(state, upid=task.upid, node=task.node or state.node)
        await ctx.save(state)
        await ctx.note_upid(task.upid)
        return state

    async def note_waiting(self, state: RestoreBackupState, ctx: Context, *, step: str, reason: str) -> None:
        """Show what holds the restore up."""
        steps = list_steps(state)
        await self._report(state, ctx, step=steps[find_reported(steps, step)][0], waiting_for=reason)

    async def _report(
        self,
        state: RestoreBackupState,
        ctx: Context,
        *,
        step: str,
        percent: int = 0,
        message: str = "",
        waiting_for: str = "",
    ) -> None:
        steps = list_steps(state)
        index = [name for name, _ in steps].index(step)
        progress = _PROGRESS.get(step, 10 + percent * 75 // 100)
        await report_step(
            self.apps,
            state,
            ctx=ctx,
            steps=steps,
            index=index,
            progress=progress,
            message=message,
            waiting_for=waiting_for,
        )


def _end(state: RestoreBackupState) -> tuple[BackupChange, ...]:
    return () if state.ended else (EndRestore(state.backup_id, state.app_id),)


def _fail(state: RestoreBackupState, failure: Failure) -> tuple[BackupChange, ...]:
    # The row stays: where the archive comes back with its storage, it can be restored again.
    if state.archive_gone:
        return (LoseArchive(state.backup_id, describe_missing(state.archive)),)
    return (EndRestore(state.backup_id, state.app_id, failure.error),)


def build_workflow(apps: Apps, containers: Containers) -> Workflow[RestoreBackupState]:
    """Build the workflow that restores a backup over its app."""
    steps = RestoreBackup(apps, containers)
    return Workflow(
        KIND,
        (
            Step("claim_app", "Locking the app", steps.claim_app, steps.unclaim_app, weight=1),
            Step(
                *SAFETY_STEP,
                steps.make_safety_backup,
                steps.undo_safety_backup,
                weight=30,
                applies=lambda state: state.safety,
            ),
            Step("stop_container", "Stopping the app", steps.stop_container, steps.start_again, weight=5),
            Step("restore_archive", "Restoring the archive", steps.restore_archive, weight=85),
            Step("start_container", "Starting the app", steps.start_container, weight=4),
            Step("probe", "Waiting for the application to answer", steps.probe_app, weight=4),
            Step("release_app", "Releasing the app", steps.release_app, weight=1),
        ),
        RestoreBackupState,
        _end,
        _fail,
        on_waiting=steps.note_waiting,
    )
