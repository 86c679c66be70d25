"""The stream of everything: events of all apps, read once for all listeners of this process.

The hub reads while it has listeners: on hints over NATS, and at every pulse what a lost hint announced. A listener gets
what its user may see; one that is too slow loses its queue and reads the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from nats.aio.msg import Msg
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import feed as convert
from services.apps.domain.entities import App
from services.apps.domain.feed import RecordedEvent
from services.apps.events.feed import PAGE, Listener, render_frame
from services.apps.events.horizon import EventHorizon
from services.apps.events.stream import SUBJECT
from services.apps.store import SqlAppStore
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus
from services.common.operations.model import Operation

log = get_logger()

_PULSE_S = 2.0  # a listener waits at most so long for an event whose hint was lost
_PING_S = 15.0  # proxies close connections that are silent for 30 or 60 s
_OVERLAP = timedelta(seconds=10)  # clocks of workers differ, and a change may commit after a later one
_NEW = timedelta(seconds=5)  # an app and its first event are written in one transaction


_FIRST_STATUSES = frozenset({"deploying", "cloning", "adopting"})  # of every way in which an app is created


@dataclass(frozen=True)
class HubEvent:
    """One event; `number` is the id that a listener resumes with, `serial` orders the events of this process.

    Attributes:
        owner_id: user who sees it besides administrators; None: none.
    """

    number: int
    serial: int
    owner_id: int | None
    event: pb.Event

    @cached_property
    def frame(self) -> bytes:
        """Server-sent event, rendered once for all listeners."""
        kind = self.event.WhichOneof("event")
        if kind is None:
            # An id without data is no event to a browser, which resumes after it all the same.
            return f": ping\nid: {self.number}\n\n".encode()
        return render_frame(self.number, kind, data=getattr(self.event, kind))


class EventHub:
    """Events of all apps, for any number of listeners.

    Args:
        store: the events are read from it.
        bus: brings the hints.
        render_app: renders a new app.
        ping_s: seconds between keep-alives.
        pulse_s: seconds between reads without a hint.
    """

    def __init__(
        self,
        store: SqlAppStore,
        bus: Bus,
        *,
        render_app: Callable[[App], app_pb2.App],
        ping_s: float = _PING_S,
        pulse_s: float = _PULSE_S,
    ) -> None:
        self._store, self._bus, self._render_app = store, bus, render_app
        self._ping_s, self._pulse_s = ping_s, pulse_s
        self._horizon = EventHorizon(store, page=PAGE)
        self._listeners: dict[Listener[HubEvent], int | None] = {}
        self._last = 0
        self._serial = 0
        self._since: datetime | None = None
        self._shown: dict[str, tuple[str, datetime]] = {}
        self._wake = asyncio.Event()
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Read on hints and at every pulse, until cancelled."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                self._wake.clear()
                await self._read_all()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pulse_s):
                        await self._wake.wait()
        finally:
            listening.cancel()

    async def follow(self, *, owner: int | None, after: int | None) -> AsyncGenerator[HubEvent, None]:
        """Yield `connected`, the events after an id (None: only new ones), and a keep-alive without content every 15 seconds.

        Args:
            owner: the events of whose apps; None: of all apps.
            after: the id to resume after.
        """
        listener = Listener[HubEvent]()
        last = await self._join(listener, owner)
        last = last if after is None else min(after, last)
        yield HubEvent(last, -1, owner, convert.render_connected(last))
        # One that resumes reads the database first, as after a queue that was dropped.
        listener.is_behind = listener.is_behind or after is not None
        serial = -1
        try:
            while True:
                if listener.is_behind:
                    listener.is_behind = False
                    async for event in self._catch_up(last, owner):
                        last, serial = event.number, event.serial
                        yield event
                next_event = listener.take()
                if next_event is None:
                    if not await listener.wait(self._ping_s):
                        last = self._last
                        yield HubEvent(last, serial, owner, convert.render_keep_alive(last))
                # What was queued while the listener caught up was sent with what was read from the database.
                elif next_event.serial > serial:
                    last = next_event.number
                    yield next_event
        finally:
            del self._listeners[listener]

    async def _join(self, listener: Listener[HubEvent], owner: int | None) -> int:
        # Single flight: the first listener sets the position from which the hub reads.
        async with self._reading:
            if not self._listeners:
                self._last = await self._horizon.begin()
                self._since, self._shown = now() - _OVERLAP, {}
            self._listeners[listener] = owner
            return self._last

    async def _catch_up(self, after: int, owner: int | None) -> AsyncIterator[HubEvent]:
        """Yield the recorded events after an id up to the newest that was read, and the operations under way."""
        serial, end = self._serial, self._last
        # The event itself as well: its app's operation may have been due when the stream broke off.
        before = await self._store.list_recorded(after=after - 1, until=after, owner=owner, limit=1)
        for operation in await self._store.list_newest_operations(_list_worked_on(before)):
            yield HubEvent(after, serial, owner, convert.render_operation_event(after, operation))
        while after < end:
            rows = await self._store.list_recorded(after=after, until=end, owner=owner, limit=PAGE)
            visible = [row for row in rows if owner is None or row.owner_id == owner]
            operations = await self._store.list_newest_operations(_list_worked_on(visible))
            for number, owner_id, event in await self._render(visible, operations):
                yield HubEvent(number, serial, owner_id, event)
            after = rows[-1].id if len(rows) == PAGE else end
        moving = await self._store.list_moving_operations(since=None)
        owners = await self._store.list_owners({operation.subject for operation in moving})
        for operation in moving:
            if owner is None or owners.get(operation.subject) == owner:
                yield HubEvent(end, serial, owner, convert.render_operation_event(end, operation))

    async def _read_all(self) -> None:
        """Read what is new, as long as there are listeners."""
        try:
            async with self._reading:
                while self._listeners and await self._read():
                    pass
        except UnavailableError as error:
            log.warning("hub_interrupted", error=str(error))  # the pulse comes again
        except Exception as error:  # noqa: BLE001 - the listeners raise it
            for listener in self._listeners:
                listener.fail(error)

    async def _read(self) -> bool:
        """Send the next page of events and the operations that advanced; whether there is more."""
        end, has_more = await self._horizon.find_end(self._last)
        rows = await self._store.list_recorded(after=self._last, until=end, owner=None, limit=PAGE)
        touched = await self._store.list_newest_operations(_list_worked_on(rows))
        moving = await self._store.list_moving_operations(since=self._since)
        for number, owner_id, event in await self._render(rows, touched):
            self._send(number, owner_id, event=event)
        self._last = end
        self._note_shown(touched)
        advanced = [operation for operation in moving if self._is_new(operation)]
        owners = await self._store.list_owners({operation.subject for operation in advanced})
        for operation in advanced:
            event = convert.render_operation_event(self._last, operation)
            self._send(self._last, owners.get(operation.subject), event=event)
        self._note_shown(advanced)
        return has_more

    async def _render(
        self, rows: Sequence[RecordedEvent], operations: Sequence[Operation]
    ) -> Iterator[tuple[int, int, pb.Event]]:
        """Render events in order, with each app's operation behind the last event of the app."""
        changed = [row.app_id for row in rows if row.kind == "status"]
        found = {app.id: app for app in await self._store.get_apps(list(dict.fromkeys(changed)))}
        return self._render_rows(
            rows, found, operations={operation.subject: operation for operation in operations}
        )

    def _render_rows(
        self, rows: Sequence[RecordedEvent], found: Mapping[str, App], *, operations: Mapping[str, Operation]
    ) -> Iterator[tuple[int, int, pb.Event]]:
        last_of = {row.app_id: row.id for row in rows}
        for row in rows:
            app, operation = found.get(row.app_id), operations.get(row.app_id)
            moving = operation if operation is not None and operation.finished_at is None else None
            if row.kind == "status" and app is not None and _is_creation(row, app):
                yield row.id, row.owner_id, convert.render_created(row, self._render_app(app))
            else:
                yield row.id, row.owner_id, convert.render_recorded(row, app=app, operation=moving)
            if operation is not None and row.id == last_of[row.app_id]:
                yield row.id, row.owner_id, convert.render_operation_event(row.id, operation)

    def _send(self, number: int, owner_id: int | None, *, event: pb.Event) -> None:
        self._serial += 1
        happening = HubEvent(number, self._serial, owner_id, event)
        for listener, owner in self._listeners.items():
            if owner is None or owner == owner_id:
                listener.put(happening)

    def _is_new(self, operation: Operation) -> bool:
        return self._shown.get(operation.subject) != (operation.id, operation.updated_at)

    def _note_shown(self, operations: Collection[Operation]) -> None:
        for operation in operations:
            self._shown.pop(operation.subject, None)
            if operation.finished_at is None:
                self._shown[operation.subject] = (operation.id, operation.updated_at)
            self._since = max(self._since or operation.updated_at, operation.updated_at - _OVERLAP)

    async def _listen(self) -> None:
        # Until NATS is connected, the pulse alone finds events.
        while not await self._bus.wait_connected(timeout=60):
            pass
        await self._bus.listen(f"{SUBJECT}.*", self._note)

    async def _note(self, _message: Msg) -> None:
        self._wake.set()


def _is_creation(event: RecordedEvent, app: App) -> bool:
    return event.message in _FIRST_STATUSES and abs(event.at - app.created_at) < _NEW


def _list_worked_on(events: Sequence[RecordedEvent]) -> set[str]:
    """List the apps whose operation may have advanced with some events."""
    return {event.app_id for event in events if event.kind != "backup" and event.alert is None}
