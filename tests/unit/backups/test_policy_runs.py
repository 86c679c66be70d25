"""Runs of policies: the store and the one in memory, by which a year is simulated, behave the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from services.backups.domain.policy_store import PolicyRuns
from services.backups.store import SqlPolicyStore
from services.common.db.database import Database
from tests.fakes.apps import FakeApps
from tests.fakes.policies import FakePolicies

AT = datetime(2026, 11, 30, 2, tzinfo=UTC)
LATER = AT + timedelta(days=1)


@pytest.fixture(params=["memory", "database"])
def runs(request: pytest.FixtureRequest, db: Database) -> PolicyRuns:
    if request.param == "database":
        return SqlPolicyStore(db)
    fake = FakePolicies(FakeApps(), fails=lambda _, __: False, on_removal=lambda _: None)
    return cast("PolicyRuns", fake)


async def test_a_policy_begins_to_apply_once_and_ends_with_what_it_covers(runs: PolicyRuns) -> None:
    first = await runs.begin_runs([(1, "a"), (2, "a")], now=AT)
    assert {key: run.began_at for key, run in first.items()} == {(1, "a"): AT, (2, "a"): AT}
    second = await runs.begin_runs([(1, "a"), (1, "b")], now=LATER)
    assert {key: run.began_at for key, run in second.items()} == {(1, "a"): AT, (1, "b"): LATER}
    third = await runs.begin_runs([(2, "a")], now=LATER)
    assert {key: run.began_at for key, run in third.items()} == {(2, "a"): LATER}
    assert await runs.begin_runs([], now=LATER) == {}


async def test_what_was_recorded_after_the_policies_were_listed_stays(runs: PolicyRuns) -> None:
    await runs.add_runs(1, ["a", "b"], since=AT)
    await runs.add_runs(1, ["a"], since=LATER)
    assert await runs.begin_runs([], now=AT - timedelta(seconds=1)) == {}
    assert {key: run.began_at for key, run in (await runs.list_runs()).items()} == dict.fromkeys(
        [(1, "a"), (1, "b")], AT
    )
    first = await runs.begin_runs([(1, "a")], now=LATER)
    assert {key: run.began_at for key, run in first.items()} == {(1, "a"): AT}


async def test_a_run_is_recorded_and_ends_the_wait(runs: PolicyRuns) -> None:
    before = await runs.begin_runs([(1, "a"), (1, "b")], now=AT)
    await runs.note_waiting(1, "a", reason="a lock")
    waiting = await runs.begin_runs([(1, "a"), (1, "b")], now=LATER)
    assert waiting[1, "a"] == replace(before[1, "a"], waiting_for="a lock")
    await runs.note_run(1, "a", slot=LATER)
    done = await runs.begin_runs([(1, "a"), (1, "b")], now=LATER)
    assert done[1, "a"] == replace(before[1, "a"], last_slot=LATER)
    assert done[1, "b"] == before[1, "b"]


async def test_each_overdue_slot_is_announced_once(runs: PolicyRuns) -> None:
    await runs.begin_runs([(1, "a")], now=AT)
    assert await runs.note_overdue(1, "a", slot=AT)
    assert not await runs.note_overdue(1, "a", slot=AT)
    assert await runs.note_overdue(1, "a", slot=LATER)
    assert not await runs.note_overdue(1, "a", slot=AT)


async def test_at_first_nothing_is_covered_and_no_node_is_busy(runs: PolicyRuns) -> None:
    assert (await runs.list_covered(), list(await runs.list_busy_nodes())) == ({}, [])
    assert await runs.list_policy_backups(1) == {}
