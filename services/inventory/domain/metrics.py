"""Measurements of containers and nodes over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

DEFAULT_RANGE = "hour"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """Averages over one interval; None: not measured, a gap. The proto `MetricSample` has the units."""

    time: datetime
    cpu_usage: float | None = None
    memory_used: float | None = None
    memory_total: float | None = None
    disk_used: float | None = None
    disk_total: float | None = None
    network_in: float | None = None
    network_out: float | None = None
    disk_read: float | None = None
    disk_written: float | None = None
    load_average: float | None = None
    io_wait: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredHistory:
    """Samples of a range (hour, day, week, month or year) up to now, oldest first, `interval_s` seconds apart."""

    range: str
    interval_s: int
    samples: tuple[Measurement, ...]
