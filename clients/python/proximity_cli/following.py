"""Long work as it happens: the events of an app, resumed where they break off, and a bar for the progress."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import operation_pb2
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from proximity_cli.connection import Platform
from proximity_cli.failures import NOT_FOUND, CliError, explain_error
from proximity_cli.output import complaints

Advance = pb.AppStatus | operation_pb2.Operation
E = TypeVar("E", pb.AppEvent, pb.Event, pb.OutputEvent)
STABLE = frozenset({"running", "stopped", "error"})
_ATTEMPTS = 10  # in a row; a restart of the platform takes seconds
_DELAY_S = 1.0
_POLL_S = 0.5
_LIMIT_S = 6 * 3600.0  # longer than any operation may take
_ENDED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)


def follow_events(platform: Platform, app_id: str, *, after: str = "") -> Iterator[pb.AppEvent]:
    """Yield the events of an app after one of them (empty: from now), until it is removed.

    Raises:
        grpc.RpcError: refused, or broken off 10 times without an event in between.
    """

    def begin(last: str) -> Iterator[pb.AppEvent]:
        request = pb.StreamAppEventsRequest(app_id=app_id, last_event_id=last)
        return iter(platform.stream(platform.apps.StreamAppEvents, request))

    for event in _resume(platform, begin, after=after):
        yield event
        if event.HasField("removed"):
            return


def follow_all_events(platform: Platform, *, after: str = "") -> Iterator[pb.Event]:
    """Yield everything that happens after an event (empty: from now), for ever.

    Raises:
        grpc.RpcError: refused, or broken off 10 times without an event in between.
    """

    def begin(last: str) -> Iterator[pb.Event]:
        return iter(platform.stream(platform.apps.StreamEvents, pb.StreamEventsRequest(last_event_id=last)))

    return _resume(platform, begin, after=after)


def follow_output(
    platform: Platform, app_id: str, *, service: str = "", tail: int = 100
) -> Iterator[pb.OutputEvent]:
    """Yield the last lines that an app wrote, and every further one, until it is removed.

    Raises:
        grpc.RpcError: refused, or broken off 10 times without a line in between.
    """

    def begin(last: str) -> Iterator[pb.OutputEvent]:
        request = pb.StreamAppOutputRequest(app_id=app_id, service=service, tail=tail, last_event_id=last)
        return iter(platform.stream(platform.apps.StreamAppOutput, request))

    return _resume(platform, begin, after="")


def _resume(platform: Platform, begin: Callable[[str], Iterator[E]], *, after: str) -> Iterator[E]:
    """Yield the events of a stream; one that breaks off is resumed after its last event."""
    failures = 0
    while True:
        try:
            for event in begin(after):
                failures = 0
                # Keep-alives of the stream of all apps carry an id as well.
                after = event.id or after
                if event.WhichOneof("event") is not None:
                    yield event
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
        # From now: the stream begins with the status as it is, and what went before is of other operations.
        for event in follow_events(platform, app_id):
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


def is_settled(platform: Platform, status: pb.AppStatus) -> bool:
    """Return whether an app rests now; an event may be of its past."""
    if status.status not in STABLE:
        return False
    current = platform.read(platform.apps.GetAppStatus, pb.GetAppStatusRequest(app_id=status.id))
    return current.status in STABLE


@contextlib.contextmanager
def show_progress(title: str) -> Iterator[Callable[[Advance], None]]:
    """Show a bar on standard error, or one line for each step where that is no terminal."""
    if not complaints.is_terminal:
        yield functools.partial(_write_step, title, set())
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=complaints, transient=True) as progress:
        task = progress.add_task(escape(title), total=100)

        def show(status: Advance) -> None:
            text = escape(f"{title}: {describe_step(status)}")
            progress.update(task, completed=_read_progress(status), description=text)

        yield show


def describe_step(status: Advance) -> str:
    """Return what is being done, for a person."""
    reason = _read_field("waiting_for", status)
    waiting = f" (waiting for {reason})" if reason else ""
    return (status.step_description or status.step or status.status) + waiting


def _read_progress(status: Advance) -> int:
    """Return the percentage that is done; the status of an app that rests names none."""
    return 100 if status.status in {"running", "stopped", "succeeded"} else status.progress


def _write_step(title: str, written: set[str], status: Advance) -> None:
    """Write one line for each step: a bar needs a terminal."""
    step = describe_step(status)
    if step not in written:
        written.add(step)
        complaints.print(escape(f"{title}: {step} ({_read_progress(status)} %)"))


def wait_for_operation(platform: Platform, request: Message, answer: Message) -> None:
    """Wait until the operation that an answer names has ended; return at once where it names none.

    Raises:
        CliError: it failed or was cancelled, or is not done after six hours.
    """
    app_id = _read_field("app_id", answer) or _read_field("app_id", request)
    name = "id" if isinstance(answer, operation_pb2.Operation) else "operation_id"
    operation_id = _read_field(name, answer)
    if not app_id or not operation_id:
        return
    wanted = pb.GetOperationRequest(app_id=app_id, operation_id=operation_id)
    deadline = time.monotonic() + _LIMIT_S
    with show_progress(_read_field("message", answer) or app_id) as show:
        while time.monotonic() < deadline:
            operation = platform.read(platform.apps.GetOperation, wanted)
            show(operation)
            if operation.status == "succeeded" or (operation.status == "cancelled" and name == "id"):
                return
            if operation.status in {"failed", "cancelled"}:
                reason = f"{operation.kind} {operation.status}: {operation.error}"
                raise CliError(reason, hint=f"proximity logs {app_id}")
            time.sleep(_POLL_S)
    raise CliError(f"{operation_id} is not done after {_LIMIT_S / 3600:g} hours")


def _read_field(name: str, message: Message) -> str:
    return str(getattr(message, name, ""))
