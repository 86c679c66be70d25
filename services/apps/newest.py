"""The newest revisions of the catalog's items as this replica has them in memory, for "update available" on apps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from nats.aio.msg import Msg

from services.apps.domain.entities import App
from services.apps.domain.neighbours import Catalog, Newest
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus

log = get_logger()

_PUBLISHED = "events.catalog.v1.revision_published"
_POLL_S = 60.0
_RETRY_S = 2.0


class NewestRevisions:
    """Asked of the catalog when it publishes something, and every minute for an event that was lost.

    Attributes:
        generation: another one whenever anything changed.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._newest: Mapping[str, Newest] = {}
        self.generation = 0

    def find_update(self, app: App) -> Newest | None:
        """A newer revision of an app's item; None also while the catalog was never reached."""
        newest = self._newest.get(app.catalog_id)
        is_older = newest is not None and app.revision not in {"", newest.revision}
        return newest if is_older else None

    async def refresh(self) -> bool:
        """Ask the catalog; what is known stays when it does not answer."""
        try:
            newest = await self._catalog.list_newest()
        except DomainError as error:
            log.warning("newest_revisions_unknown", error=error.message)
            return False
        if newest != self._newest:
            self._newest = newest
            self.generation += 1
        return True

    async def follow(self, bus: Bus) -> None:
        """Keep up with the catalog, for ever."""
        changed, listening = asyncio.Event(), asyncio.Event()

        async def note_change(_: Msg) -> None:
            changed.set()

        async def listen() -> None:
            if not listening.is_set():  # a subscription outlives a lost connection
                await bus.listen(_PUBLISHED, note_change)
                listening.set()
            changed.set()

        bus.on_connect(listen)
        while True:
            wait = _POLL_S if await self.refresh() else _RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):  # wait_for of Python 3.11 loses a cancellation
                    await changed.wait()
            changed.clear()
