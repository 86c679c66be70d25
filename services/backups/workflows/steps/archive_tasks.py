"""Tasks of Proxmox that make, restore and delete archives, and the archives that they leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from services.backups.domain.preconditions import describe_running_backup
from services.clients.inventory.archive_values import Archive
from services.clients.inventory.errors import TaskHinderedError, TaskLockedError
from services.clients.inventory.interface import Containers, Tasks
from services.clients.inventory.tasks import OnProgress, follow_task
from services.clients.inventory.values import Ref, Task, TaskProgress
from services.common.core.errors import DomainError, TransientError, UnavailableError
from services.common.core.log import get_logger
from services.common.operations.model import Context, WaitError, may_pass

log = get_logger()

_NODE_S = 10.0  # between polls of a node that makes another backup, which takes minutes

S = TypeVar("S")


async def follow(tasks: Tasks, task: Task, *, on_progress: OnProgress | None = None) -> str:
    """Wait for the end of a task and return its result.

    Raises:
        TaskFailedError: with the reason that its log gives.
        TaskHinderedError: the same, for a reason that passes; or Proxmox does not know the task any more.
        WaitError: inventory does not answer; the task may go on.
    """
    try:
        return await follow_task(tasks, task, on_progress=on_progress)
    except TaskLockedError as error:  # a lock counts as an attempt here: the app is locked meanwhile
        raise TaskHinderedError(error.message) from error
    except TransientError:
        raise
    except UnavailableError as error:
        raise WaitError(f"Proxmox's answer about its task: {error.message}") from error


async def follow_saved(
    tasks: Tasks, state: Any, *, ctx: Context, on_progress: OnProgress | None = None
) -> str:
    """Follow the task in a state; a task that was hindered is removed from it, so that another one is begun.

    Raises:
        TransientError: it was hindered.
        TaskFailedError, WaitError: as `follow`.
    """
    try:
        return await follow(tasks, state.task, on_progress=on_progress)
    except TaskHinderedError:
        await ctx.save(replace(state, upid=""))
        raise


@dataclass
class TaskState(Generic[S]):
    """The operation's state while a task is followed: each progress makes a new one.

    Attributes:
        state: the newest; a failure ends with it.
        advance: returns the state after a progress.
    """

    state: S
    advance: Callable[[S, TaskProgress], Awaitable[S]]

    async def note(self, progress: TaskProgress) -> None:
        """Take a progress into the state."""
        self.state = await self.advance(self.state, progress)


async def await_node(containers: Containers, ref: Ref) -> None:
    """Wait until no other backup runs on the node of a container: Proxmox makes one at a time on each.

    A second vzdump would wait for a lock, print nothing and fail after three hours. One on the container itself is left to
    the request, which finds it where it is this backup's own.

    Raises:
        WaitError: naming the backup that runs.
    """
    try:
        running = await containers.list_running_backups(ref.host_id, ref.node)
    # Without the right to see the tasks of others a backup begins all the same: vzdump has a lock of its own.
    except DomainError as error:
        log.info("running_backups_unknown", host_id=ref.host_id, node=ref.node, reason=error.message)
        return
    if running and all(one.vmid != ref.vmid for one in running):
        raise WaitError(describe_running_backup(running[0]), delay=_NODE_S)


def find_archive(archives: Sequence[Archive], *, backup_id: str, volume_id: str = "") -> Archive | None:
    """Find the archive with this volume id, else the archive whose notes name the backup."""
    # The volume id first: people edit the notes, which name the backup.
    known = next((archive for archive in archives if volume_id and archive.volume_id == volume_id), None)
    return known or next((archive for archive in archives if archive.has_backup_id(backup_id)), None)


async def delete_archives(containers: Containers, host_id: int, *, volume_ids: Collection[str]) -> None:
    """Delete archives and wait for it; archives that are gone are skipped."""
    for volume_id in sorted(volume_ids):
        await follow(containers, await containers.delete_archive(host_id, volume_id))


async def start_again(containers: Containers, ref: Ref, *, owner: str) -> bool:
    """Start a container that was stopped for an archive and wait for it; False when Proxmox cannot.

    Raises:
        WaitError, UnavailableError: Proxmox does not answer, or works on the container.
    """
    try:
        await follow(containers, await containers.start_container(ref, owner=owner))
    except DomainError as error:
        # A host that is away now may start it later; only a refusal by Proxmox leaves the app stopped.
        if may_pass(error):
            raise
        log.warning("app_left_stopped", app_id=owner, error=error.message)
        return False
    return True
