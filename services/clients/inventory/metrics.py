"""Measurements over time as inventory reads them from Proxmox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class MetricSample:
    """Measurements of one interval by their names in the proto `MetricSample`; what was not measured is absent."""

    time: datetime
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """Samples of a range (hour, day, week, month or year) up to now, oldest first, `interval_s` seconds apart."""

    range: str
    interval_s: int
    samples: tuple[MetricSample, ...]
