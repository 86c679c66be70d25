"""Following what happens to an app, as it happens: hints over NATS, and a pulse for those that get lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from nats.aio.msg import Msg

from services.apps.handlers.event_feed import PAGE, Feed, Listener, StreamedEvent, make_event, tell_rows
from services.apps.store import SqlAppStore
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus

log = get_logger()

_SUBJECT = "live.apps"
_PULSE_S = 2.0
_OVERLAP = 5  # pulses; of two transactions the later number may commit first
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
                await self._bus.hint(f"{_SUBJECT}.{app_id.replace('.', '_')}", app_id.encode())

    def _add(self, app_id: str) -> None:
        self._pending.add(app_id)
        self._wake.set()


class Watcher:
    """Follows the events of apps for any number of listeners.

    Args:
        store: where the events are.
        bus: brings the hints.
        ping_s: seconds between signs of life.
        pulse_s: seconds between readings that no hint asked for.
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
        """Keep the feeds going, for ever: listen to hints and look by itself now and then."""
        listening = asyncio.create_task(self._listen())
        newest: deque[int] = deque(maxlen=_OVERLAP)
        try:
            while True:
                try:
                    newest.append(await self._beat(newest[0] if newest else None))
                except UnavailableError as error:
                    log.warning("pulse_interrupted", error=str(error))
                await asyncio.sleep(self._pulse_s)
        finally:
            listening.cancel()

    async def follow(self, app_id: str, *, after: int | None) -> AsyncGenerator[StreamedEvent | None, None]:
        """Events after an id (None: the status now, then what comes); None as a sign of life every 15 seconds.

        Ends after the removal of the app, and only then.

        Raises:
            AppNotFoundError: there is no such app.
        """
        listener = Listener()
        feed = await self._join(app_id, listener)
        try:
            async for happening in self._follow(feed, listener, after):
                yield happening
        finally:
            self._leave(feed, listener)

    async def _follow(
        self, feed: Feed, listener: Listener, after: int | None
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
            if happening_or_none.serial <= serial:
                continue
            last = happening_or_none.number
            yield happening_or_none
            if happening_or_none.event.HasField("removed"):
                return

    async def _catch_up(self, feed: Feed, after: int) -> AsyncGenerator[StreamedEvent, None]:
        """What was recorded after an id up to where the feed is, and the status there."""
        serial, end, status = feed.serial, feed.last, feed.status
        while after < end:
            rows = await self._store.list_events(feed.app_id, after=after, limit=PAGE)
            shown = [row for row in rows if row.id <= end]
            final = status.status if len(rows) < PAGE else ""
            for number, event in tell_rows(feed.app_id, shown, known="", final=final):
                yield StreamedEvent(number, event, serial)
            if len(rows) < PAGE:
                break
            after = rows[-1].id
        yield StreamedEvent(end, make_event(end, status=status), serial)

    async def _join(self, app_id: str, listener: Listener) -> Feed:
        feed = self._feeds.get(app_id)
        if feed is None or feed.is_gone:
            feed = self._feeds[app_id] = Feed(self._store, app_id)
        feed.listeners.add(listener)
        try:
            await feed.load()
        except BaseException:
            self._leave(feed, listener)
            raise
        return feed

    def _leave(self, feed: Feed, listener: Listener) -> None:
        feed.listeners.discard(listener)
        if not feed.listeners:
            feed.close()
            if self._feeds.get(feed.app_id) is feed:
                del self._feeds[feed.app_id]

    async def _listen(self) -> None:
        while not await self._bus.wait_connected(timeout=60):
            pass
        await self._bus.listen(f"{_SUBJECT}.*", self._note)

    async def _note(self, message: Msg) -> None:
        feed = self._feeds.get(message.data.decode(errors="replace"))
        if feed is not None:
            feed.wake()

    async def _beat(self, after: int | None) -> int:
        """Wake the feeds that have something to tell; returns the newest event of all."""
        newest, touched = await self._store.list_touched(after=after)
        kept = await self._store.list_existing(list(self._feeds))
        for feed in list(self._feeds.values()):
            if touched.get(feed.app_id, 0) > feed.last or feed.is_restless or feed.app_id not in kept:
                feed.wake()
        return newest
