"""Estimated progress: Proxmox prints no percentage while it copies a container."""

from __future__ import annotations

_BEGUN = 1  # percent: it has begun, and nothing says how long it takes
_MOST = 95  # percent: the end is what the task says, not what was expected


def estimate_percent(elapsed_s: float, expected_s: float) -> int:
    """Estimate the percentage of work after `elapsed_s` seconds that took `expected_s` the last time; 1 where that is unknown."""
    if expected_s <= 0:
        return _BEGUN
    return max(_BEGUN, min(_MOST, int(elapsed_s * 100 / expected_s)))
