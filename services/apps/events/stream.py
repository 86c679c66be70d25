"""Streams of the events of apps: hints over NATS say when to read, and a pulse finds what lost hints announced."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from nats.aio.msg import Msg

from services.apps.events.feed import PAGE, Feed, Listener, StreamedEvent, make_event, render_rows
from services.apps.store import SqlAppStore
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus

log = get_logger()

SUBJECT = "live.apps"  # followed by the id of an app
_PULSE_S = 2.0  # a listener waits at most so long for an event whose hint was lost; one query for all apps
_OVERLAP = 5  # pulses whose events are looked at again, as the later of two ids may commit first
_PING_S = 15.0  # proxies close connections that are silent for 30 or 60 s
_DEBOUNCE_S = 0.03  # a transaction commits meanwhile, and a step with many events sends one hint
PING = b": ping\n\n"


class Hints:
    """Hints to the watchers of every process that an app has new events, sent shortly after the commit."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._pending: set[str] = set()
        self._wake = asyncio.Event()

    def notify(self, app_id: str) -> None:
        """Send a hint for an app soon; may be called from any thread."""
        # Transactions commit in threads, and the event belongs to the loop.
        self._loop.call_soon_threadsafe(self._add, app_id)

    async def run(self) -> None:
        """Send hints until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_DEBOUNCE_S)
            self._wake.clear()
            pending, self._pending = self._pending, set()
            for app_id in pending:
                await self._bus.hint(f"{SUBJECT}.{app_id.replace('.', '_')}", app_id.encode())

    def _add(self, app_id: str) -> None:
        self._pending.add(app_id)
        self._wake.set()


class Watcher:
    """Follows the events of apps, with one feed per app for any number of listeners.

    Args:
        store: the events are read from it.
        bus: brings the hints.
        ping_s: seconds between keep-alives.
        pulse_s: seconds between reads without a hint.
    """

    def __init__(
        self, store: SqlAppStore, bus: Bus, *, ping_s: float = _PING_S, pulse_s: float = _PULSE_S
    ) -> None:
        self._store = store
        self._bus = bus
        self._ping_s = ping_s
        self._pulse_s = pulse_s
        self._feeds: dict[str, Feed] = {}

    async def run(self) -> None:
        """Wake the feeds on hints and at every pulse, until cancelled."""
        listening = asyncio.create_task(self._listen())
        newest: deque[int] = deque(maxlen=_OVERLAP)
        try:
            while True:
                try:
                    # From the oldest pulse of the overlap: ids are given before the commit, so a lower id may become visible later.
                    newest.append(await self._beat(newest[0] if newest else None))
                except UnavailableError as error:
                    log.warning("pulse_interrupted", error=str(error))
                await asyncio.sleep(self._pulse_s)
        finally:
            listening.cancel()

    async def follow(self, app_id: str, *, after: int | None) -> AsyncGenerator[StreamedEvent | None, None]:
        """Yield the events after an id (None: the status now, then new ones), and None as a keep-alive every 15 seconds.

        Ends after the removal of the app, and only then.

        Raises:
            AppNotFoundError: there is no such app.
        """
        listener = Listener[StreamedEvent]()
        feed = await self._join(app_id, listener)
        try:
            async for happening in self._follow(feed, listener, after=after):
                yield happening
        finally:
            self._leave(feed, listener)

    async def _follow(
        self, feed: Feed, listener: Listener[StreamedEvent], *, after: int | None
    ) -> AsyncGenerator[StreamedEvent | None, None]:
        last = feed.last if after is None else min(after, feed.last)
        serial = -1
        listener.is_behind = True
        while True:
            if listener.is_behind:
                listener.is_behind = False
                async for happening in self._catch_up(feed, last):
                    last, serial = happening.number, happening.serial
                    yield happening
            happening_or_none = listener.take()
            if happening_or_none is None:
                if not await listener.wait(self._ping_s):
                    yield None
                continue
            # Queued while the listener caught up, and sent with what was read from the database.
            if happening_or_none.serial <= serial:
                continue
            last = happening_or_none.number
            yield happening_or_none
            if happening_or_none.event.HasField("removed"):
                return

    async def _catch_up(self, feed: Feed, after: int) -> AsyncGenerator[StreamedEvent, None]:
        """Yield the recorded events after an id up to the newest of the feed, and its status."""
        serial, end, status = feed.serial, feed.last, feed.status
        while after < end:
            rows = await self._store.list_events(feed.app_id, after=after, limit=PAGE)
            shown = [row for row in rows if row.id <= end]
            final = status.status if len(rows) < PAGE else ""
            for number, event in render_rows(feed.app_id, shown, known="", final=final):
                yield StreamedEvent(number, event, serial)
            if len(rows) < PAGE:
                break
            after = rows[-1].id
        yield StreamedEvent(end, make_event(end, status=status), serial)

    async def _join(self, app_id: str, listener: Listener[StreamedEvent]) -> Feed:
        feed = self._feeds.get(app_id)
        if feed is None or feed.is_gone:
            feed = self._feeds[app_id] = Feed(self._store, app_id)
        # Added before the load, so that it gets events that come meanwhile.
        feed.listeners.add(listener)
        try:
            await feed.load()
        except BaseException:
            self._leave(feed, listener)
            raise
        return feed

    def _leave(self, feed: Feed, listener: Listener[StreamedEvent]) -> None:
        feed.listeners.discard(listener)
        if not feed.listeners:
            feed.close()
            # Another feed may have taken the place of one whose app was removed.
            if self._feeds.get(feed.app_id) is feed:
                del self._feeds[feed.app_id]

    async def _listen(self) -> None:
        # Until NATS is connected, the pulse alone finds events.
        while not await self._bus.wait_connected(timeout=60):
            pass
        await self._bus.listen(f"{SUBJECT}.*", self._note)

    async def _note(self, message: Msg) -> None:
        feed = self._feeds.get(message.data.decode(errors="replace"))
        if feed is not None:
            feed.wake()

    async def _beat(self, after: int | None) -> int:
        """Wake the feeds with something new, and return the id of the newest event of all."""
        newest, touched = await self._store.list_touched(after=after)
        existing = await self._store.list_existing(list(self._feeds))
        for feed in list(self._feeds.values()):
            if touched.get(feed.app_id, 0) > feed.last or feed.needs_reading or feed.app_id not in existing:
                feed.wake()
        return newest
