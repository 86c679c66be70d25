"""How failures slow the next attempt: some are free, then each doubles the wait up to a maximum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Limit:
    """How attempts of one kind are limited.

    Attributes:
        kind: login-account, login-address, registration-address.
        free: attempts without a wait.
        longest: the longest wait.
        forget: attempts are forgotten when none came for so long.
    """

    kind: str
    free: int
    longest: timedelta
    forget: timedelta = timedelta(minutes=15)

    def key_of(self, subject: str) -> str:
        """The key of its counter for an address or account."""
        return f"{self.kind}:{subject[:150]}"

    def wait_after(self, count: int) -> timedelta:
        """How long to wait after `count` attempts."""
        over = count - self.free
        if over <= 0:
            return timedelta()
        return min(timedelta(seconds=2 ** min(over, 20)), self.longest)


@dataclass(frozen=True)
class Attempts:
    """A counter: how many attempts, the last of them when, and until when no other is allowed."""

    count: int
    last_at: datetime
    blocked_until: datetime


def count_attempt(earlier: Attempts | None, limit: Limit, moment: datetime) -> Attempts:
    """The counter after one more attempt."""
    forgotten = earlier is None or moment - max(earlier.last_at, earlier.blocked_until) > limit.forget
    count = 1 if forgotten or earlier is None else earlier.count + 1
    return Attempts(count, moment, moment + limit.wait_after(count))
