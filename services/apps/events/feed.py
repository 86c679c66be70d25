"""Feeds: the events of one app, read once for all listeners of this process.

A feed follows one app while it has listeners. Hints over NATS say when to read; the pulse reads what a lost hint would
have announced. A listener costs a coroutine and a short queue; one that is too slow loses its queue and reads the
database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.domain.entities import AppEvent
from services.apps.domain.errors import AppNotFoundError
from services.apps.store import SqlAppStore
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.rpc.responses.rendered import render_time

log = get_logger()
T = TypeVar("T")

PAGE = 200  # events of one query: 1 KiB each at most
_QUEUE = 256  # events that wait for one listener: more are cheaper to read again


@dataclass(frozen=True)
class StreamedEvent:
    """One event of an app; `serial` orders the events of its feed, `number` is the id that a listener resumes with."""

    number: int
    event: pb.AppEvent
    serial: int = 0

    @cached_property
    def frame(self) -> bytes:
        """Server-sent event, rendered once for all listeners."""
        kind = self.event.WhichOneof("event") or "status"
        return render_frame(self.number, kind, data=getattr(self.event, kind))


class Listener(Generic[T]):
    """The queue of one listener."""

    def __init__(self) -> None:
        self.is_behind = False
        self.failure: BaseException | None = None
        self._queue: deque[T] = deque()
        self._filled = asyncio.Event()

    def put(self, happening: T) -> None:
        """Queue an event; a listener whose queue is full has to read the events again."""
        # Dropping the queue bounds the memory of a listener, which then reads the events from the database.
        if len(self._queue) >= _QUEUE:
            self._queue.clear()
            self.is_behind = True
        if not self.is_behind:
            self._queue.append(happening)
        self._filled.set()

    def fail(self, error: BaseException) -> None:
        """End the listener with an error."""
        self.failure = error
        self._filled.set()

    def take(self) -> T | None:
        """Return the next event, if there is one.

        Raises:
            BaseException: what the feed failed with.
        """
        if self.failure is not None:
            raise self.failure
        if self._queue:
            return self._queue.popleft()
        self._filled.clear()
        return None

    async def wait(self, timeout: float) -> bool:
        """Wait until there is something; False after `timeout` seconds without."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._filled.wait()
        # Something may have come after the timeout and before this task ran again: a keep-alive would name an id behind it.
        return self._filled.is_set()


class Feed:
    """Events of one app for all its listeners.

    Attributes:
        last: id of the newest event that was sent.
        serial: number of the newest event in this process.
        status: as it was sent last.
        is_gone: the app was removed.
    """

    def __init__(self, store: SqlAppStore, app_id: str) -> None:
        self.app_id = app_id
        self.listeners: set[Listener[StreamedEvent]] = set()
        self.last = 0
        self.serial = 0
        self.status = pb.AppStatus()
        self.is_gone = False
        self._store = store
        self._is_stale = False
        self._is_moving = False
        self._is_loaded = False
        self._loading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def needs_reading(self) -> bool:
        """Whether to read without a hint: an operation is under way, or the last read failed."""
        return self._is_moving or self._is_stale

    async def load(self) -> None:
        """Read the newest event and the status, once.

        Raises:
            AppNotFoundError: it is gone.
        """
        # Single flight for listeners that join at once; a wake meanwhile sets `_is_stale`.
        async with self._loading:
            if not self._is_loaded:
                self.last = await self._store.find_last_event_id(self.app_id)
                self.status = await self._read_status()
                self._is_loaded = True
                if self._is_stale:
                    self.wake()

    def wake(self) -> None:
        """Read what is new, soon."""
        self._is_stale = True
        if self._task is None and self._is_loaded:
            self._task = asyncio.create_task(self._run(), name=f"feed {self.app_id}")

    def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            # A hint during a read sets the flag again, so that no event is missed.
            while self._is_stale and not self.is_gone:
                self._is_stale = False
                await self._read()
        except UnavailableError as error:
            self._is_stale = True  # the pulse comes again
            log.warning("feed_interrupted", app=self.app_id, error=str(error))
        except Exception as error:  # noqa: BLE001 - the listeners raise it
            for listener in self.listeners:
                listener.fail(error)
        finally:
            self._task = None

    async def _read(self) -> None:
        # Events are read first: a status that is read later includes what they announce.
        rows = await self._store.list_events(self.app_id, after=self.last, limit=PAGE)
        try:
            status = await self._read_status()
        except AppNotFoundError:
            self.is_gone = True
            gone = pb.DeleteAppResponse(id=self.app_id, status="removed", message="The app is gone")
            self._send(make_event(self.last + 1, removed=gone), self.last + 1)
            return
        if len(rows) == PAGE:
            self._is_stale = True  # there is more
        self._send_changes(rows, status)

    def _send_changes(self, rows: Sequence[AppEvent], status: pb.AppStatus) -> None:
        is_last = len(rows) < PAGE
        known = self.status.status
        for number, event in render_rows(
            self.app_id, rows, known=known, final=status.status if is_last else ""
        ):
            known = event.status.status or known
            self._send(event, number)
        self.last = rows[-1].id if rows else self.last
        if is_last and (status != self.status or known != status.status):
            self.status = status
            self._send(make_event(self.last, status=status), self.last)

    async def _read_status(self) -> pb.AppStatus:
        app = await self._store.get_app(self.app_id)
        operation = None if app.is_stable else await self._store.find_unfinished(self.app_id)
        self._is_moving = not app.is_stable
        status = convert.render_status(app, operation)
        # It changes with every report of a worker, but listeners get a status only when something else has changed.
        status.ClearField("updated_at")
        return status

    def _send(self, event: pb.AppEvent, number: int) -> None:
        # Two events may have one number, as a status takes that of the newest row; the serial orders them.
        self.serial += 1
        happening = StreamedEvent(number, event, self.serial)
        for listener in self.listeners:
            listener.put(happening)


def render_frame(number: int | str, kind: str, *, data: Message) -> bytes:
    """Render a server-sent event; without an id to resume after where `number` is empty."""
    text = json_format.MessageToJson(
        data, preserving_proto_field_name=True, indent=None, always_print_fields_with_no_presence=True
    )
    head = "" if number == "" else f"id: {number}\n"
    return f"{head}event: {kind}\ndata: {text}\n\n".encode()


def render_rows(
    app_id: str, rows: Sequence[AppEvent], *, known: str, final: str
) -> Iterator[tuple[int, pb.AppEvent]]:
    """Render recorded events: every line of the log, and every status but those that are sent anyway.

    Args:
        app_id: the app of the events.
        rows: the events in order.
        known: the status that was sent last.
        final: the status that will be sent after them, in full; where they end with it, it is left out.
    """
    changes = [row.id for row in rows if row.kind == "status"]
    for row in rows:
        if row.kind == "log":
            yield row.id, make_event(row.id, log=convert.render_log(row))
            continue
        is_sent = row.message == known or (row.id == changes[-1] and row.message == final)
        known = row.message
        if not is_sent:
            yield row.id, make_event(row.id, status=pb.AppStatus(id=app_id, status=row.message))


def make_event(
    number: int,
    *,
    status: pb.AppStatus | None = None,
    log: app_pb2.LogEntry | None = None,
    removed: pb.DeleteAppResponse | None = None,
) -> pb.AppEvent:
    """Build an event of the stream; without content it is a keep-alive."""
    return pb.AppEvent(id=str(number), timestamp=render_time(now()), status=status, log=log, removed=removed)
