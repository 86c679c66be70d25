"""What scans saw, across runs of reconciliation: one alone may be wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

CERTAIN = 2  # complete scans that must agree


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
        """From when on an orphan or duplicate may be destroyed, if scans agree until then."""
        return self.first_seen_at + grace


class Sightings(Protocol):
    """Where they are kept."""

    async def note_sightings(
        self, seen: Collection[Seen], *, complete: Collection[int]
    ) -> Mapping[Seen, Sighting]:
        """Count each once more; what a `complete` host no longer shows is forgotten."""

    async def find_sighting(self, kind: str, host_id: int, vmid: int) -> Sighting | None:
        """The orphan or duplicate with an id, if the last scan saw one."""
