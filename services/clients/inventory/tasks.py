"""Following Proxmox tasks to their end, and ending them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.clients.inventory.errors import (
    TaskFailedError,
    TaskHinderedError,
    TaskLockedError,
    TaskLostError,
)
from services.clients.inventory.interface import Tasks
from services.clients.inventory.values import ContainerTask, Task, TaskKind, TaskProgress
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.operations.model import WaitError

OnProgress = Callable[[TaskProgress], Awaitable[None]]

# Before the next try: Proxmox itself waits 10 s for a lock, so sooner only adds tasks to its log.
_LOCK_WAIT_S = 5.0
_END_S = 30.0  # for a task to end that was stopped: Proxmox kills its process after 5 to 10 s
_END_WAIT_S = 5.0  # before a worker takes up again what waits for the end of such a task


def parse_upid(host_id: int, upid: str) -> ContainerTask:
    """Parse the id of a task on a host, `UPID:node:pid:pstart:starttime:kind:vmid:user:`."""
    parts = upid.split(":")
    kind = TaskKind(parts[5]) if len(parts) > 5 else TaskKind.OTHER
    return ContainerTask(kind, Task(host_id, parts[1] if len(parts) > 1 else "", upid))


async def follow_task(tasks: Tasks, task: Task, *, on_progress: OnProgress | None = None) -> str:
    """Wait for the end of a task and return its result; `on_progress` gets every progress, the last one included.

    Raises:
        TaskFailedError: the task failed for a reason that a second try does not change.
        TaskLockedError: the task failed because of a lock or a missing quorum.
        TaskHinderedError: the task failed for a reason that passes.
        TaskLostError: Proxmox does not know the task any more.
        UnavailableError: inventory does not answer; the task may go on.
    """
    if not task.upid:
        return task.result
    try:
        async for progress in tasks.watch_task(task):
            if on_progress is not None:
                await on_progress(progress)
            if progress.done:
                if not progress.succeeded:
                    raise _failure_of(progress)
                return progress.result or task.result
    except NotFoundError as error:
        raise TaskLostError(error.message) from error
    raise UnavailableError(f"the task {task.upid} was not followed to its end")


def _failure_of(progress: TaskProgress) -> TaskFailedError | TaskHinderedError:
    message = f"Proxmox: {progress.reason or progress.exit_status or 'the task failed'}"
    if progress.held_up:
        return TaskLockedError(message, retry_after=_LOCK_WAIT_S)
    return (TaskHinderedError if progress.may_pass else TaskFailedError)(message)


async def end_task(tasks: Tasks, task: Task) -> None:
    """Stop a task if it runs and wait until it has ended, whatever its outcome.

    Raises:
        WaitError: the task does not end within 30 seconds.
        UnavailableError: inventory does not answer.
    """
    if not task.upid:
        return
    try:
        await tasks.stop_task(task)
        async with asyncio.timeout(_END_S):
            await follow_task(tasks, task)
    except (TaskFailedError, TaskHinderedError, NotFoundError):
        return
    except TimeoutError:
        raise WaitError(f"Proxmox to end its task {task.upid}", delay=_END_WAIT_S) from None
