"""Sightings of containers across runs of reconciliation, as a single scan may be wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

CERTAIN = 2  # complete scans that must agree: one may fall into a restart or a migration


class Seen(NamedTuple):
    """An `orphan` or `duplicate` with the mark of `subject`, or that the container of the app `subject` is `missing`."""

    kind: str
    host_id: int
    vmid: int
    subject: str


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """The same seen by one scan after another."""

    seen: Seen
    scans: int
    first_seen_at: datetime

    def find_destroyable(self, grace: timedelta) -> datetime:
        """Return the time from which an orphan or duplicate may be destroyed, if scans agree until then."""
        return self.first_seen_at + grace


class Sightings(Protocol):
    """Stored sightings."""

    async def note_sightings(
        self, seen: Collection[Seen], *, complete: Collection[int]
    ) -> Mapping[Seen, Sighting]:
        """Count each once more; delete those that a `complete` host no longer shows."""

    async def find_sighting(self, kind: str, host_id: int, *, vmid: int) -> Sighting | None:
        """Return the orphan or duplicate with an id, if the last scan saw one."""
