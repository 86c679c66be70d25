"""Following a Proxmox task to its end, and telling the app's users."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from services.backups.domain.entities import Report, Task
from services.backups.domain.interfaces import Apps, Containers
from services.common.errors import DomainError, NotFoundError, PreconditionError, UnavailableError
from services.common.log import get_logger
from services.common.operations.model import WaitError

log = get_logger()

OnPercent = Callable[[int], Awaitable[None]]


class TaskFailedError(PreconditionError):
    """A Proxmox task ended with an error."""


async def follow_task(containers: Containers, task: Task, *, on_percent: OnPercent | None = None) -> str:
    """Wait for a task's end and return what it made.

    Raises:
        TaskFailedError: with Proxmox's own words.
        WaitError: inventory does not answer; the task may go on.
    """
    if not task.upid:
        return task.result
    last = -1
    try:
        async for update in containers.watch_task(task):
            if on_percent is not None and update.percent is not None and update.percent != last:
                last = update.percent
                await on_percent(last)
            if update.done:
                if not update.succeeded:
                    raise TaskFailedError(f"Proxmox says: {update.exit_status or 'the task failed'}")
                return update.result
    except UnavailableError as error:
        raise WaitError(f"Proxmox's answer about its task: {error.message}") from error
    raise WaitError("the end of a Proxmox task")


async def report(apps: Apps, app_id: str, operation_id: str, *, news: Report) -> None:
    """Tell the app's users; the work does not depend on it."""
    try:
        await apps.report_operation(app_id, operation_id, report=news)
    except DomainError as error:
        log.warning("report_lost", app_id=app_id, operation_id=operation_id, error=error.message)


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


async def stop_quietly(containers: Containers, task: Task) -> None:
    """Stop a task if it still runs; one that has ended is as good."""
    if task.upid:
        with contextlib.suppress(DomainError):
            await containers.stop_task(task)
