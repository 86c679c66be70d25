"""The time. Everything that needs it calls `now`, so that tests can pass their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The current time in UTC, to the microsecond."""
    return datetime.now(UTC)
