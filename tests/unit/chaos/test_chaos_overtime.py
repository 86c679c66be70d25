"""Overtime: a storm ends when everything that it has to meet came up, or at the limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from services.common.db.transactions import DatabaseUnavailableError
from tests.chaos import overtime
from tests.chaos.blows import Storm
from tests.chaos.choices import Choice
from tests.chaos.history import History
from tests.chaos.overtime import Overtime
from tests.chaos.users import User
from tests.unit.chaos.scenes import make_exchange


class FakeStorm:
    """A storm whose database does not answer at first, and whose ambushes are noted."""

    def __init__(self) -> None:
        self.deaths: list[tuple[str, str]] = []
        self.ambushes: set[tuple[str, str]] = set()
        self.faults_ended = 0
        self.reads = 0

    async def end_faults(self) -> None:
        self.faults_ended += 1

    async def verify(self) -> None:
        pass

    def add_ambush(self, kind: str, target: str) -> None:
        self.ambushes.add((kind, target))

    async def read_backups(self) -> dict[str, Any]:
        self.reads += 1
        if self.reads == 1:
            raise DatabaseUnavailableError("it was struck")
        return {"backups": [], "backup_operations": [], "policies": []}


class FakeUser:
    """A user each of whose actions is an accepted change."""

    index = 0

    def __init__(self, history: History) -> None:
        self._history = history

    async def carry_out(self, choices: Sequence[Choice], *, until: float, others: Sequence[FakeUser]) -> int:
        await asyncio.sleep(0)
        self._history.add(make_exchange("start"))
        return len(choices)


@pytest.fixture
def history(tmp_path: Path) -> Any:
    found = History(tmp_path / "history.jsonl")
    yield found
    found.close()


def make_overtime(storm: FakeStorm, history: History, *, is_whole: bool) -> Overtime:
    users = [cast("User", FakeUser(history))]
    return Overtime(storm=cast("Storm", storm), users=users, history=history, is_whole=is_whole)


@pytest.fixture(autouse=True)
def _count_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overtime, "_COUNT_S", 0.001)


async def test_a_short_storm_goes_on_until_changes_were_accepted(history: History) -> None:
    storm = FakeStorm()
    await make_overtime(storm, history, is_whole=False).run(1)
    assert len(history.exchanges) >= 11
    assert (storm.faults_ended, storm.ambushes) == (1, set())


async def test_a_storm_that_has_met_everything_has_no_overtime(history: History) -> None:
    for _ in range(11):
        history.add(make_exchange("start"))
    storm = FakeStorm()
    storm.reads = 1
    assert await make_overtime(storm, history, is_whole=False).run(1) == 0
    assert len(history.exchanges) == 11


async def test_what_only_a_blow_brings_about_is_lain_in_wait_for_until_the_limit(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    storm = FakeStorm()
    wanted = {
        ("ambush_kill", "delete_backup"),
        ("ambush_kill", "test_backup"),
        ("ambush_outage", "test_backup"),
    }

    def add_ambush(kind: str, target: str) -> None:
        storm.ambushes.add((kind, target))
        if storm.ambushes == wanted:
            monkeypatch.setattr(overtime, "LIMIT_S", 0.0)  # has passed by now, however fast the machine is

    monkeypatch.setattr(storm, "add_ambush", add_ambush)
    assert await make_overtime(storm, history, is_whole=True).run(1) > 0
    assert storm.ambushes == wanted
