"""Two of everything: a NATS server and half of the replicas die and the release changes, while people read.

`make replicas` loses each process, the primary database too, and replaces them all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.replicas.course import Plan, run_course
from tests.replicas.release import make_successor


@pytest.mark.timeout(900)
def test_no_read_fails_and_no_operation_is_lost_while_replicas_die_and_the_release_changes(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    plan = Plan(
        after=make_successor(tmp_path / "after"),
        losses=("nats-2",),
        lose_database=False,
        single=("backups-2", "catalog-2", "backups-worker-2", "catalog-worker-2"),
        killed=("auth", "inventory", "apps", "apps-worker"),
        asked=("apps-2",),
    )
    verdict = asyncio.run(run_course(plan, state=tmp_path / "state", report=said.append))
    assert verdict.reads.failures == [], "\n".join(said)
    assert verdict.violations == (), "\n".join(said)
    assert len(verdict.reads.seconds) > 100
    assert verdict.operations > 0
    assert verdict.writes[499] == 0  # a client could not tell whether it was done
