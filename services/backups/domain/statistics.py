"""Numbers, sizes and times of backups, and the day on which a storage is full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_LEAST_DAYS = 3  # from the first to the last sample: fewer say more about a single backup than about growth
_FARTHEST = timedelta(days=3650)  # a storage is replaced before


@dataclass(frozen=True, kw_only=True)
class BackupFacts:
    """Facts of a backup that are counted; `duration_s` of one that can be restored, None of a failed one."""

    app_id: str
    app_name: str
    policy_id: int | None
    host_id: int
    storage: str
    size: int
    created_at: datetime
    duration_s: float | None


@dataclass(frozen=True, kw_only=True)
class BackupTotals:
    """Counts of backups; `total_size` in bytes, of the completed ones."""

    completed: int
    failed: int
    total_size: int
    average_duration_s: float | None
    newest_at: datetime | None

    @property
    def average_size(self) -> float:
        """Bytes of a completed backup on average; 0 without any."""
        return self.total_size / self.completed if self.completed else 0.0


@dataclass(frozen=True, kw_only=True)
class StorageSample:
    """Bytes on a storage on a day; `node` is empty for a shared one."""

    host_id: int
    storage: str
    node: str
    day: date
    used: int
    total: int


@dataclass(frozen=True, kw_only=True)
class StorageForecast:
    """Growth of a storage in bytes a day, and the day on which it is full; None: not known, or never."""

    newest: StorageSample
    growth_per_day: float | None
    full_on: date | None


def count_backups(facts: Iterable[BackupFacts]) -> BackupTotals:
    """Count backups."""
    listed = list(facts)
    good = [(one, one.duration_s) for one in listed if one.duration_s is not None]
    return BackupTotals(
        completed=len(good),
        failed=len(listed) - len(good),
        total_size=sum(one.size for one, _ in good),
        average_duration_s=sum(duration for _, duration in good) / len(good) if good else None,
        newest_at=max((one.created_at for one, _ in good), default=None),
    )


def forecast_storage(samples: Sequence[StorageSample]) -> StorageForecast:
    """Forecast one storage from its samples, oldest first and at least one: a straight line through them (least squares)."""
    newest = samples[-1]
    days = [(one.day - samples[0].day).days for one in samples]
    if days[-1] < _LEAST_DAYS:
        return StorageForecast(newest=newest, growth_per_day=None, full_on=None)
    mean_day, mean_used = sum(days) / len(days), sum(one.used for one in samples) / len(samples)
    spread = sum((day - mean_day) ** 2 for day in days)
    growth = (
        sum((day - mean_day) * (one.used - mean_used) for day, one in zip(days, samples, strict=True))
        / spread
    )
    # Quotas and reserved blocks let some storages use more than they say that they have.
    left = max(0, newest.total - newest.used)
    is_near = growth > 0 and left / growth <= _FARTHEST.days
    full_on = newest.day + timedelta(days=int(left / growth)) if is_near else None
    return StorageForecast(newest=newest, growth_per_day=growth, full_on=full_on)
