"""The newest revisions of the catalog's items, in the memory of each replica, for "update available" on apps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from services.apps.domain.entities import App
from services.apps.domain.neighbours import Catalog, Newest
from services.common.messaging.bus import Bus
from services.common.messaging.schedule import Periodic

_PUBLISHED = "events.catalog.v1.revision_published"
_POLL = timedelta(minutes=1)  # for a publication whose event was lost: nobody waits for the sign of an update
_RETRY_S = 2.0  # the catalog starts together with this service


class NewestRevisions:
    """The newest revision of each catalog item, in memory.

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

    async def refresh(self) -> None:
        """Ask the catalog; what is known stays when it does not answer.

        Raises:
            UnavailableError: the catalog does not answer.
        """
        newest = await self._catalog.list_newest()
        if newest != self._newest:
            self._newest = newest
            self.generation += 1

    def follow(self, bus: Bus) -> Periodic:
        """Refresh when the catalog publishes, and every minute in case an event was lost."""
        return Periodic(
            name="newest_revisions",
            interval=_POLL,
            function=self.refresh,
            in_every_process=True,
            retry_s=_RETRY_S,
        ).trigger_by(bus, _PUBLISHED)
