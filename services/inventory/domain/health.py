"""The condition of the platform."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTED = "connected"
FULL = "error: the disk of the database is full"


@dataclass(frozen=True)
class HealthReport:
    """`connected`, or `error: …`, of every part."""

    database: str
    cache: str
    messaging: str
    services: dict[str, str]

    @property
    def status(self) -> str:
        """Summary: degraded without a part that reads can do without, or when nothing can be written; unhealthy without the database."""
        if self.database not in {CONNECTED, FULL}:
            return "unhealthy"
        parts = (self.database, self.cache, self.messaging, *self.services.values())
        return "healthy" if all(part == CONNECTED for part in parts) else "degraded"
