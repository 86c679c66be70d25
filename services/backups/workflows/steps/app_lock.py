"""The app that an operation locks: progress for its users, its answer after a start, its release."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.clients.apps.interface import Apps
from services.clients.apps.values import ProgressReport
from services.common.core.errors import DomainError, NotFoundError
from services.common.core.log import get_logger
from services.common.operations.model import Context, WaitError

log = get_logger()

_PROBE_S = 1.0  # between two probes of a port: apps that start take 5 to 60 s to answer


class ReportedState(Protocol):
    """State of an operation that locks an app."""

    @property
    def app_id(self) -> str:
        """The app."""

    @property
    def operation_id(self) -> str:
        """The operation."""

    @property
    def upid(self) -> str:
        """The Proxmox task of the step; empty: none."""


async def report_step(
    apps: Apps,
    state: ReportedState,
    *,
    ctx: Context,
    steps: Sequence[tuple[str, str]],
    index: int,
    progress: int,
    message: str = "",
    level: str = "info",
    waiting_for: str = "",
) -> None:
    """Report one of the `steps` (name, description), and what holds it up, to the app's users.

    The work does not depend on it.
    """
    name, description = steps[index]
    news = ProgressReport(
        progress=progress,
        step=name,
        description=description,
        step_index=index,
        step_count=len(steps),
        message=message,
        level=level,
        attempt=ctx.operation.attempt or 1,
        worker=ctx.operation.worker,
        upid=state.upid,
        waiting_for=waiting_for,
    )
    try:
        await apps.report_operation(state.app_id, state.operation_id, report=news)
    except DomainError as error:
        log.warning("report_lost", app_id=state.app_id, operation_id=state.operation_id, error=error.message)


def find_reported(steps: Sequence[tuple[str, str]], step: str) -> int:
    """Return the index of a step among the reported ones; those before and after them count as the first and last."""
    # Internal steps are not shown: their users would have to know what a mark is.
    names = [name for name, _ in steps]
    if step in names:
        return names.index(step)
    return 0 if step == "note_mark" else len(names) - 1


async def await_answer(apps: Apps, app_id: str, *, operation_id: str) -> str:
    """Wait until an app answers, which refreshes its address; return the reason when it does not within its grace.

    Raises:
        UnavailableError: apps does not answer.
    """
    loop = asyncio.get_running_loop()
    # From now on, and not from the start of the app, which a worker that takes over does not know.
    began = loop.time()
    while True:
        probe = await apps.probe_app(app_id, operation_id)
        if probe.answered:
            return ""
        if loop.time() - began >= probe.grace_s:
            return f"port {probe.port} does not answer after {probe.grace_s} s: {probe.message or 'nothing listens'}"
        await asyncio.sleep(_PROBE_S)


async def release_app(
    apps: Apps, app_id: str, *, operation_id: str, succeeded: bool, message: str, status: str = ""
) -> None:
    """Unlock the app; an app or a lock that is gone needs no release.

    Raises:
        WaitError: apps does not unlock it. An app that nobody unlocks could never be used again, so this is repeated
            until the operation's deadline.
    """
    try:
        await apps.finish_operation(app_id, operation_id, succeeded=succeeded, message=message, status=status)
    except NotFoundError as error:
        log.warning("nothing_to_release", app_id=app_id, operation_id=operation_id, error=error.message)
    except DomainError as error:
        raise WaitError(f"apps, to release {app_id}: {error.message}") from error
