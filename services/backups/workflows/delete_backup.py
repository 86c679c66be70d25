"""DeleteBackup: the archive, then the row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.backups.domain.changes import BackupChange, KeepBackup, RemoveBackup
from services.backups.workflows.steps.archive_tasks import find_archive, follow_saved
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Ref, Task
from services.common.core.errors import TransientError
from services.common.operations.model import Context, Failure, Step, Workflow

KIND = "delete_backup"


@dataclass(frozen=True, kw_only=True)
class DeleteBackupState:
    """State of deleting a backup; without a volume id the archive is found by its mark."""

    operation_id: str
    backup_id: int
    host_id: int
    vmid: int
    mark: str
    volume_id: str = ""
    node: str = ""
    upid: str = ""

    @property
    def task(self) -> Task:
        """Return the task that deletes the archive."""
        return Task(self.host_id, self.node, self.upid)


@dataclass(frozen=True)
class DeleteBackup:
    """Steps of DeleteBackup."""

    containers: Containers

    async def find_archive(self, state: DeleteBackupState, _: Context) -> DeleteBackupState:
        """Find the archive of a backup that failed before its name was known."""
        if state.volume_id:
            return state
        listing = await self.containers.list_archives(Ref(state.host_id, state.vmid))
        archive = find_archive(listing.archives, backup_id=state.mark)
        # A storage that is away may have it: without its row nobody would ever delete it.
        if archive is None and not listing.complete:
            raise TransientError("not every storage that could have the archive answers")
        return replace(state, volume_id=archive.volume_id if archive else "")

    async def delete_archive(self, state: DeleteBackupState, ctx: Context) -> DeleteBackupState:
        """Delete the archive, or resume the task that does; an archive that is gone needs no task."""
        if not state.volume_id:
            return state
        if not state.upid:
            task = await self.containers.delete_archive(state.host_id, state.volume_id)
            state = replace(state, node=task.node, upid=task.upid)
            await ctx.save(state)
            await ctx.note_upid(task.upid)
        await follow_saved(self.containers, state, ctx=ctx)
        return state


def _remove(state: DeleteBackupState) -> tuple[BackupChange, ...]:
    return (RemoveBackup(state.backup_id),)


def _keep(state: DeleteBackupState, failure: Failure) -> tuple[BackupChange, ...]:
    return (KeepBackup(state.backup_id, failure.error),)


def build_workflow(containers: Containers) -> Workflow[DeleteBackupState]:
    """Build the workflow that deletes a backup; it cannot be cancelled."""
    steps = DeleteBackup(containers)
    return Workflow(
        KIND,
        (
            # Proxmox takes no deletion back, so that a cancellation could only leave a row without an archive.
            Step("find_archive", "Finding the archive", steps.find_archive, cancellable=False),
            Step("delete_archive", "Deleting the archive", steps.delete_archive, weight=9, cancellable=False),
        ),
        DeleteBackupState,
        _remove,
        _keep,
    )
