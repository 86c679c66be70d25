"""A clock that a test moves, in the place of the machine's."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

import pytest

from services.common.core import clock


class SimulatedClock:
    """The machine's clock and what was added to it."""

    def __init__(self) -> None:
        self._added = timedelta(0)
        self._read = clock.now

    def __call__(self) -> datetime:
        return self._read() + self._added

    def advance(self, time: timedelta) -> None:
        """Let time pass."""
        self._added += time


def simulate_clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    """Give every module of the services that reads the time a clock that a test moves."""
    original, simulated = clock.now, SimulatedClock()
    for name, module in list(sys.modules.items()):
        if name.startswith("services.") and getattr(module, "now", None) is original:
            monkeypatch.setattr(module, "now", simulated)
    return simulated
