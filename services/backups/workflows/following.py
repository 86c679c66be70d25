"""Following a Proxmox task to its end, and reporting it to the app's users."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from services.backups.domain.entities import Archive, Place, ProgressReport, Task, TaskUpdate
from services.backups.domain.interfaces import Apps, Containers
from services.clients.inventory.errors import TaskFailedError
from services.common.core.errors import (
    DomainError,
    NotFoundError,
    UnavailableError,
)
from services.common.core.log import get_logger
from services.common.operations.model import Context, TransientError, WaitError, may_pass

log = get_logger()

_ENDING_S = 30.0  # for a task that was stopped
_PROBE_S = 1.0  # between two looks at a port
S = TypeVar("S")
OnUpdate = Callable[[TaskUpdate], Awaitable[None]]


class TaskHinderedError(TransientError):
    """A Proxmox task ended with an error that passes; another one may succeed."""


async def follow_task(containers: Containers, task: Task, *, on_update: OnUpdate | None = None) -> str:
    """Wait for a task's end and return what it made; `on_update` gets its progress and its end.

    Raises:
        TaskFailedError: with the reason that its log gives.
        TaskHinderedError: the same, for a reason that passes; or Proxmox does not know the task any more.
        WaitError: inventory does not answer; the task may go on.
    """
    if not task.upid:
        return task.result
    try:
        async for update in containers.watch_task(task):
            if on_update is not None:
                await on_update(update)
            if update.done:
                if not update.succeeded:
                    kind = TaskHinderedError if update.may_pass else TaskFailedError
                    raise kind(f"Proxmox says: {update.reason or update.exit_status or 'the task failed'}")
                return update.result
    except TransientError:
        raise
    except NotFoundError as error:
        raise TaskHinderedError(error.message) from error
    except UnavailableError as error:
        raise WaitError(f"Proxmox's answer about its task: {error.message}") from error
    raise WaitError("the end of a Proxmox task")


@dataclass
class Followed(Generic[S]):
    """A task that is followed: each update makes a new state of the operation.

    Attributes:
        state: the newest; what a failure ends with.
        advance: the state after an update.
    """

    state: S
    advance: Callable[[S, TaskUpdate], Awaitable[S]]

    async def note(self, update: TaskUpdate) -> None:
        """Take an update into the state."""
        self.state = await self.advance(self.state, update)


def find_archive(archives: Sequence[Archive], *, mark: str, volume_id: str = "") -> Archive | None:
    """The archive with this volume id; else the one whose notes name the backup."""
    known = next((archive for archive in archives if volume_id and archive.volume_id == volume_id), None)
    return known or next((archive for archive in archives if archive.has_mark(mark)), None)


async def delete_archives(containers: Containers, host_id: int, volume_ids: Collection[str]) -> None:
    """Delete archives, to the end; those that are gone are done."""
    for volume_id in sorted(volume_ids):
        await follow_task(containers, await containers.delete_archive(host_id, volume_id))


async def probe_app(apps: Apps, app_id: str, operation_id: str) -> str:
    """Wait until an app answers, which refreshes its address; empty, or why it does not within its time.

    Raises:
        UnavailableError: apps does not answer.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        probe = await apps.probe_app(app_id, operation_id)
        if probe.answered:
            return ""
        if loop.time() - began >= probe.grace_s:
            return f"port {probe.port} does not answer after {probe.grace_s} s: {probe.message or 'nothing listens'}"
        await asyncio.sleep(_PROBE_S)


async def report(apps: Apps, app_id: str, operation_id: str, *, news: ProgressReport) -> None:
    """Report progress to the app's users; the work does not depend on it."""
    try:
        await apps.report_operation(app_id, operation_id, report=news)
    except DomainError as error:
        log.warning("report_lost", app_id=app_id, operation_id=operation_id, error=error.message)


async def follow_saved(
    containers: Containers,
    state: Any,
    ctx: Context,
    *,
    on_update: OnUpdate | None = None,
) -> str:
    """Follow the task that a state names; when that was hindered, forget it, so that another one is begun.

    Raises:
        TransientError: it was hindered.
        TaskFailedError, WaitError: as `follow_task`.
    """
    try:
        return await follow_task(containers, state.task, on_update=on_update)
    except TaskHinderedError:
        await ctx.save(replace(state, upid=""))
        raise


async def release_app(
    apps: Apps, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
) -> None:
    """Let the app go, however long apps does not do it. An app or a hold that is gone needs no release.

    Raises:
        WaitError: apps does not do it; an app that was let go by nobody could never be used again.
    """
    try:
        await apps.finish_operation(app_id, operation_id, succeeded=succeeded, message=message, status=status)
    except NotFoundError as error:
        log.warning("nothing_to_release", app_id=app_id, operation_id=operation_id, error=error.message)
    except DomainError as error:
        raise WaitError(f"apps, to release {app_id}: {error.message}") from error


async def end_task(containers: Containers, task: Task) -> None:
    """Stop a task if it still runs, and wait until it has ended, however.

    Raises:
        WaitError: it does not end, or Proxmox does not answer.
    """
    if not task.upid:
        return
    try:
        await containers.stop_task(task)
        async with asyncio.timeout(_ENDING_S):
            await follow_task(containers, task)
    except (TaskFailedError, TaskHinderedError, NotFoundError):
        return
    except TimeoutError:
        raise WaitError(f"Proxmox to end its task {task.upid}", delay=5) from None


async def start_again(containers: Containers, place: Place, *, owner: str) -> bool:
    """Start a container that was stopped for us, to the end; False when Proxmox cannot.

    Raises:
        WaitError, UnavailableError: Proxmox does not answer, or works on the container.
    """
    try:
        await follow_task(containers, await containers.start_container(place, owner=owner))
    except DomainError as error:
        if may_pass(error):
            raise
        log.warning("app_left_stopped", app_id=owner, error=error.message)
        return False
    return True
