"""A short storm with a fixed seed; `make chaos` is the long one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.storm import run_storm

SEED = 3
SECONDS = 60.0


@pytest.mark.timeout(900)
def test_everything_holds_after_a_minute_of_storm(tmp_path: Path) -> None:
    said: list[str] = []
    verdict = asyncio.run(run_storm(SEED, seconds=SECONDS, state=tmp_path / "storm", report=said.append))
    assert verdict.violations == (), "\n".join((*said, *verdict.violations))
    assert verdict.accepted > 10
    assert verdict.blows > 10
