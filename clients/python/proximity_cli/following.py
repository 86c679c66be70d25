"""Long work as it happens: the events of an app, resumed where they break off, and a bar for the progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import grpc
from proximity.apps.v1 import apps_service_pb2 as pb
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from proximity_cli.connection import Platform
from proximity_cli.failures import NOT_FOUND, CliError, explain_error
from proximity_cli.output import complaints

STABLE = frozenset({"running", "stopped", "error"})
_ATTEMPTS = 10  # in a row; a restart of the platform takes seconds
_DELAY_S = 1.0
_ENDED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)


def follow_events(platform: Platform, app_id: str, *, after: str = "") -> Iterator[pb.AppEvent]:
    """Yield the events of an app after one of them (empty: from now), until it is removed.

    A stream that breaks off is taken up again where it was.

    Raises:
        grpc.RpcError: refused, or broken off 10 times without an event in between.
    """
    failures = 0
    while True:
        request = pb.StreamAppEventsRequest(app_id=app_id, last_event_id=after)
        try:
            for event in platform.stream(platform.apps.StreamAppEvents, request):
                failures = 0
                if event.WhichOneof("event") is None:
                    continue
                after = event.id
                yield event
                if event.HasField("removed"):
                    return
        except grpc.RpcError as error:
            failures += 1
            if failures == _ATTEMPTS or not _may_resume(platform, error):
                raise
        time.sleep(_DELAY_S)


def _may_resume(platform: Platform, error: grpc.RpcError) -> bool:
    if not isinstance(error, grpc.Call):
        return False
    expired = error.code() == grpc.StatusCode.UNAUTHENTICATED and bool(platform.session.refresh)
    return expired or error.code() in _ENDED


def wait_for_app(platform: Platform, app_id: str, title: str) -> str:
    """Follow an app with a progress bar until it rests.

    Returns:
        The status in which it rests, or `removed`, also when it was gone before it could be followed.

    Raises:
        CliError: it ended in error; the message says why.
    """
    try:
        return _follow_to_rest(platform, app_id, title)
    except grpc.RpcError as error:
        if explain_error(error).status == NOT_FOUND:
            return "removed"
        raise


def _follow_to_rest(platform: Platform, app_id: str, title: str) -> str:
    with show_progress(title) as show:
        for event in follow_events(platform, app_id, after="0"):
            if event.HasField("removed"):
                return "removed"
            if event.HasField("status"):
                show(event.status)
                if is_settled(platform, event.status):
                    break
    status = platform.read(platform.apps.GetAppStatus, pb.GetAppStatusRequest(app_id=app_id))
    if status.status == "error":
        raise CliError(
            f"{app_id} failed: {status.message or status.error or 'see its log'}",
            hint=f"proximity logs {app_id}",
        )
    return status.status


def is_settled(platform: Platform, told: pb.AppStatus) -> bool:
    """Return whether an app rests now; what is told may be its past."""
    if told.status not in STABLE:
        return False
    current = platform.read(platform.apps.GetAppStatus, pb.GetAppStatusRequest(app_id=told.id))
    return current.status in STABLE


@contextlib.contextmanager
def show_progress(title: str) -> Iterator[Callable[[pb.AppStatus], None]]:
    """Show a bar on standard error; the function that is given moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=complaints, transient=True) as progress:
        task = progress.add_task(escape(title), total=100)

        def show(status: pb.AppStatus) -> None:
            step = status.step_description or status.step or status.status
            progress.update(task, completed=status.progress, description=escape(f"{title}: {step}"))

        yield show
