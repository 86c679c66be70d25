"""A short storm with a fixed seed on each database; `make chaos` is the long one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.storm import Lengths, run_storm

SEED = 3
LENGTHS = Lengths(36.0, outage_s=6.0, silence_s=6.0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_everything_holds_after_a_storm(tmp_path: Path, database: str) -> None:
    said: list[str] = []
    storm = run_storm(SEED, lengths=LENGTHS, state=tmp_path / "storm", report=said.append, database=database)
    verdict = asyncio.run(storm)
    assert verdict.violations == (), "\n".join((*said, *verdict.violations))
    # However slow the machine is: the storm goes on until so much was accepted, and the seed decides on the blows.
    assert verdict.accepted > 10
    assert verdict.blows > 5
