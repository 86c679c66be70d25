"""Exponential backoff of failed attempts: some are free, then each doubles the wait up to a maximum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Limit:
    """Limit of one kind of attempts.

    Attributes:
        kind: login-account, login-address, registration-address.
        free: attempts without a wait.
        longest: the longest wait.
        forget: time without an attempt after which the counter starts again.
    """

    kind: str
    free: int
    longest: timedelta
    forget: timedelta = timedelta(minutes=15)

    def key_of(self, subject: str) -> str:
        """Return the key of the counter of an address or account."""
        return f"{self.kind}:{subject[:150]}"

    def wait_after(self, count: int) -> timedelta:
        """Return the wait after `count` attempts."""
        over = count - self.free
        if over <= 0:
            return timedelta()
        # 2**20 s exceeds every `longest`; an unbounded exponent would overflow timedelta.
        return min(timedelta(seconds=2 ** min(over, 20)), self.longest)


@dataclass(frozen=True)
class Attempts:
    """A counter of attempts; none is allowed until `blocked_until`."""

    count: int
    last_at: datetime
    blocked_until: datetime


def count_attempt(earlier: Attempts | None, limit: Limit, *, moment: datetime) -> Attempts:
    """Return the counter after one more attempt."""
    forgotten = earlier is None or moment - max(earlier.last_at, earlier.blocked_until) > limit.forget
    count = 1 if forgotten or earlier is None else earlier.count + 1
    return Attempts(count, moment, moment + limit.wait_after(count))


@dataclass(frozen=True)
class SignInLimits:
    """Limits of failures per account and address, and of registrations per address."""

    login_account: Limit
    login_address: Limit
    registration_address: Limit


def make_limits(*, per_account: int = 5, per_address: int = 50, registrations: int = 100) -> SignInLimits:
    """Return limits with the given numbers of free attempts.

    The longest wait for an account is short, since an attacker could otherwise keep its owner out.
    """
    return SignInLimits(
        Limit("login-account", per_account, timedelta(minutes=1)),
        Limit("login-address", per_address, timedelta(minutes=15)),
        Limit("registration-address", registrations, timedelta(minutes=15)),
    )
