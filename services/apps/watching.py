"""What happens to an app, as it happens: hints over NATS, with reading every 2 seconds for those that get lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from google.protobuf import json_format
from nats.aio.msg import Msg
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps import convert
from services.apps.domain.errors import AppNotFoundError
from services.apps.store import SqlAppStore
from services.common.clock import now
from services.common.messaging import Bus

_POLL_S = 2.0
_PING_S = 15.0
_DEBOUNCE_S = 0.03
PING = b": ping\n\n"


class Hints:
    """Tells watchers in every process that something happened to an app, shortly after it was committed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._pending: set[str] = set()
        self._wake = asyncio.Event()

    def notify(self, app_id: str) -> None:
        """Something happened to an app; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._add, app_id)

    async def run(self) -> None:
        """Send hints, for ever."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_DEBOUNCE_S)  # the transaction commits meanwhile; one hint for many events
            self._wake.clear()
            pending, self._pending = self._pending, set()
            for app_id in pending:
                await self._bus.hint(subject_of(app_id))

    def _add(self, app_id: str) -> None:
        self._pending.add(app_id)
        self._wake.set()


@dataclass(frozen=True)
class Watcher:
    """Follows the events of apps."""

    store: SqlAppStore
    bus: Bus

    async def follow(self, app_id: str, *, after: int | None) -> AsyncIterator[pb.AppEvent | None]:
        """Events after an id (None: the status now, then what comes); None as a sign of life every 15 seconds.

        Ends after the removal of the app.
        """
        changed = asyncio.Event()
        stop = await self._listen(app_id, changed)
        try:
            async for event in self._follow(app_id, after, changed):
                yield event
        finally:
            await stop()

    async def _follow(
        self, app_id: str, after: int | None, changed: asyncio.Event
    ) -> AsyncIterator[pb.AppEvent | None]:
        last = after if after is not None else await self.store.find_last_event_id(app_id)
        known = pb.AppStatus()
        loop = asyncio.get_running_loop()
        said = loop.time()
        while True:
            changed.clear()
            for event in await self.store.list_events(app_id, after=last):
                last = event.id
                if event.kind == "log":
                    said = loop.time()
                    yield _event(last, log=convert.render_log(event))
            try:
                status = await self._status(app_id)
            except AppNotFoundError:
                gone = pb.DeleteAppResponse(id=app_id, status="removed", message="The app is gone")
                yield _event(last + 1, removed=gone)
                return
            if status != known:
                known, said = status, loop.time()
                yield _event(last, status=status)
            if loop.time() - said >= _PING_S:
                said = loop.time()
                yield None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _POLL_S)

    async def _status(self, app_id: str) -> pb.AppStatus:
        app = await self.store.get_app(app_id)
        operation = None if app.is_stable else await self.store.find_unfinished(app_id)
        status = convert.render_status(app, operation)
        status.ClearField("updated_at")
        return status

    async def _listen(self, app_id: str, changed: asyncio.Event) -> Callable[[], Awaitable[None]]:
        async def note(_: Msg) -> None:
            changed.set()

        async def nothing() -> None:
            return

        if not self.bus.is_connected:
            return nothing
        return await self.bus.listen(subject_of(app_id), note)


def subject_of(app_id: str) -> str:
    """Where hints about an app are sent."""
    return f"live.apps.{app_id.replace('.', '_')}"


def render_sse(event: pb.AppEvent | None) -> bytes:
    """A server-sent event; a comment for a sign of life."""
    if event is None:
        return PING
    kind = event.WhichOneof("event") or "status"
    data = json_format.MessageToJson(
        getattr(event, kind),
        preserving_proto_field_name=True,
        indent=None,
        always_print_fields_with_no_presence=True,
    )
    return f"id: {event.id}\nevent: {kind}\ndata: {data}\n\n".encode()


def parse_event_id(text: str) -> int | None:
    """The number of a Last-Event-ID; None when there is none that we gave."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _event(
    event_id: int,
    *,
    status: pb.AppStatus | None = None,
    log: app_pb2.LogEntry | None = None,
    removed: pb.DeleteAppResponse | None = None,
) -> pb.AppEvent:
    return pb.AppEvent(
        id=str(event_id), timestamp=convert.render_time(now()), status=status, log=log, removed=removed
    )
