"""Making an archive and checking it: the part that backups have in common with the backup before a restore."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial

from services.backups.domain.changes import (
    NoteProgress,
)
from services.backups.domain.errors import DumpFailedError
from services.backups.domain.estimates import estimate_percent
from services.backups.workflows.create_backup_state import CreateBackupState
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
from services.common.core.errors import DomainError, TransientError
from services.common.core.log import get_logger
from services.common.operations.model import Context, WaitError, may_pass

log = get_logger()

_STORAGE_S = 30.0  # between polls of a storage that does not answer: an NFS server restarts in minutes


@dataclass(frozen=True)
class ArchiveMaker(ABC):
    """Steps that make the archive of a backup."""

    apps: Apps
    containers: Containers

    @abstractmethod
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
        """Report progress to the app's users, in the terms of the operation that the archive is made for."""

    async def dump(self, state: CreateBackupState, ctx: Context) -> CreateBackupState:
        """Begin the archive, or resume the one that was begun, and wait for its end."""
        # Found out once: after a crash in mode stop the container may be stopped by vzdump itself.
        if state.was_running is None:
            state = replace(state, was_running=await is_running(self.containers, state.ref))
            await ctx.save(state)
            if warning := await note_left_out(self.containers, state, ctx=ctx):
                await self._report(state, ctx, message=warning, level="warning")
            # Before the archive is made: what a test compares with must be what the archive has.
            await record_app(self.apps, self.containers, state=state, ctx=ctx)
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
        storage = state.storage or await self.containers.choose_backup_storage(state.ref, owner=state.app_id)
        before = state.possible_storages
        # Saved before the request: after a crash or a lost answer, this tells where the archive may be.
        state = replace(state, storages=sorted({*before, storage}))
        await ctx.save(state)
        try:
            task = await self.containers.backup_container(
                state.ref, owner=state.app_id, new=state.describe_archive(storage)
            )
        except DomainError as error:
            if not may_pass(error):
                state = replace(state, storages=sorted(before))
            lost = state.has_lost_request or may_pass(error)
            await ctx.save(replace(state, has_lost_request=lost, is_refused=not lost))
            raise
        state = replace(
            state,
            is_refused=False,
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

    async def record(self, state: CreateBackupState, _: Context) -> CreateBackupState:
        """Check place and size of the archive; delete archives that earlier tasks of this backup left.

        Raises:
            TransientError: no storage lists it; a storage of a network may be late.
            DumpFailedError: it is empty.
        """
        listing = await self.containers.list_archives(state.ref)
        archive = find_archive(listing.archives, backup_id=state.mark, volume_id=state.volume_id)
        if archive is None and not listing.complete and await self._may_be_hidden(state):
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
        await delete_archives(self.containers, state.host_id, volume_ids=others)
        return replace(
            state,
            volume_id=archive.volume_id,
            volume_ids=(archive.volume_id,),
            file_name=archive.file_name,
            storage_name=archive.storage,
            size=archive.size,
        )

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

    async def delete_made(self, state: CreateBackupState) -> None:
        """Delete the archives of this backup's tasks once none makes another.

        Raises:
            WaitError: a task may still make one, or a storage that may have one does not answer.
        """
        await self.end_dump(state)
        listing = await self.containers.list_archives(state.ref)
        marked = [one.volume_id for one in listing.archives if one.has_backup_id(state.mark)]
        await delete_archives(self.containers, state.host_id, volume_ids={*state.volume_ids, *marked})
        if not listing.complete and await self._may_be_hidden(state):
            raise WaitError("every storage that could have the archive", delay=_STORAGE_S)

    async def _may_be_hidden(self, state: CreateBackupState) -> bool:
        """Whether a storage that does not answer may have an archive of this backup.

        One that is away for good, and has nothing to do with it, must not leave a failed backup unfinished.
        """
        for storage in sorted(state.possible_storages):
            if not (await self.containers.list_archives(state.ref, storage=storage)).complete:
                return True
        return False
