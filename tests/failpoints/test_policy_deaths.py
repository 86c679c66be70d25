"""The work of policies dies at each write and call, and its removals at each checkpoint: all is done once in the end."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest

from services.backups.domain.entities import Backup, BackupOrder
from services.backups.domain.policies import PolicyScope, PolicySettings, RestoreTesting
from services.backups.domain.restore_tests import RestoreTestStatus
from services.backups.domain.retention import Retention
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.restore_tests import start_due_tests
from services.backups.usecases.scheduled_backups import (
    list_covered_apps,
    remove_superfluous_backups,
    start_due_backups,
)
from services.backups.usecases.second_storages import start_due_copies
from services.common.core.clock import now
from tests.failpoints.invariants import check_invariants
from tests.failpoints.killing import killing
from tests.failpoints.platform import Platform
from tests.failpoints.scenes import Scene
from tests.failpoints.stages import Stage, migrated, stage

__all__ = ["migrated", "stage"]
# Within the hours of restore tests, and later than the policy, so that each of these days has a slot.
SLOT = datetime.combine(now().date() + timedelta(days=2), time(2), UTC)
DAY = timedelta(days=1)
Work = Callable[[BackupDependencies, datetime], Awaitable[int]]


async def begin_backups(dependencies: BackupDependencies, moment: datetime) -> int:
    return await start_due_backups(dependencies, now=moment)


async def begin_copies(dependencies: BackupDependencies, moment: datetime) -> int:
    return await start_due_copies(dependencies, now=moment)


async def begin_tests(dependencies: BackupDependencies, moment: datetime) -> int:
    return await start_due_tests(dependencies, now=moment)


async def begin_removals(dependencies: BackupDependencies, moment: datetime) -> int:
    return await remove_superfluous_backups(dependencies, now=moment)


async def add_policy(platform: Platform, app_id: str) -> None:
    settings = PolicySettings(
        name="nightly",
        schedule="0 2 * * *",
        time_zone="UTC",
        window_minutes=0,
        order=BackupOrder(storage="backup"),
        second_storage="local",
        retention=Retention(last=1),
        test_restore=RestoreTesting.EACH,
        scope=PolicyScope(app_ids=(app_id,)),
    )
    dependencies = platform.dependencies_of_backups
    await dependencies.policies.add_policy(settings, owner_id=None)
    await list_covered_apps(dependencies, now=now())


async def prepare_policy(platform: Platform) -> str:
    app = await platform.deploy()
    await platform.settle()
    await add_policy(platform, app.id)
    return app.id


async def prepare_backups(platform: Platform, nights: int) -> str:
    app_id = await prepare_policy(platform)
    for night in range(nights):
        moment = SLOT + night * DAY
        assert await begin_backups(platform.dependencies_of_backups, moment) == 1
        await platform.settle()
        if nights > 1:
            assert await begin_copies(platform.dependencies_of_backups, moment) == 1
            await platform.settle()
    return app_id


async def list_backups(platform: Platform) -> list[Backup]:
    """List the backups of the policy, newest first."""
    made = await platform.dependencies_of_backups.policies.list_policy_backups(1)
    return [one for backups in made.values() for one in backups]


def make_scene(name: str, prepare: Callable[[Platform], Awaitable[str]]) -> Scene:
    async def ask(_: Platform, __: str) -> None:
        """The work of the policy begins it."""

    return Scene(name, "", prepare, ask, "backups")


@dataclass(frozen=True)
class Case:
    """A kind of work, what is there before it, and how many backups and passed tests are there after it."""

    scene: Scene
    work: Work
    moment: datetime
    backups: int
    copies: int
    passed: int = 0


CASES = (
    Case(make_scene("backup", prepare_policy), begin_backups, SLOT, backups=1, copies=0),
    Case(
        make_scene("copy", lambda platform: prepare_backups(platform, 1)),
        begin_copies,
        SLOT,
        backups=1,
        copies=1,
    ),
    Case(
        make_scene("test", lambda platform: prepare_backups(platform, 1)),
        begin_tests,
        SLOT,
        backups=1,
        copies=0,
        passed=1,
    ),
    Case(
        make_scene("removal", lambda platform: prepare_backups(platform, 3)),
        begin_removals,
        SLOT + 3 * DAY,
        backups=1,
        copies=1,
    ),
)
every_case = pytest.mark.parametrize(
    ("scene", "case"), [(case.scene, case) for case in CASES], ids=[case.scene.name for case in CASES]
)


async def check(platform: Platform, stage: Stage, case: Case) -> None:
    """Let another process look again, twice, and raise AssertionError where not everything was done once."""
    for _ in range(2):
        await case.work(platform.dependencies_of_backups, case.moment + timedelta(minutes=1))
        await platform.settle()
    await check_invariants(platform, stage.strangers)
    found = await list_backups(platform)
    assert (sum(one.copy_of is None for one in found), sum(one.copy_of is not None for one in found)) == (
        case.backups,
        case.copies,
    )
    tests = [one.restore_test.status for one in found]
    assert tests.count(RestoreTestStatus.PASSED) == case.passed
    assert max(one.id for one in found if one.copy_of is None) == found[-1 if case.copies else 0].id


@every_case
async def test_work_that_dies_anywhere_is_done_once_by_another_process(
    stage: Stage, scene: Scene, case: Case
) -> None:
    deaths = 0
    for number in itertools.count():
        async with stage.open() as platform:
            with killing(platform, number) as killer:
                await case.work(platform.dependencies_of_backups, case.moment)
            if not killer.is_dead:
                break
            deaths += 1
            await check(platform, stage, case)
    assert deaths > 2, f"{scene.name} does nothing"


@pytest.mark.parametrize(("scene", "case"), [(CASES[-1].scene, CASES[-1])], ids=["removal"])
async def test_removals_die_anywhere_and_retention_goes_on_meanwhile(
    stage: Stage, scene: Scene, case: Case
) -> None:
    deaths = 0
    for number in itertools.count():
        async with stage.open() as platform:
            desk = platform.desks["backups"]
            assert await case.work(platform.dependencies_of_backups, case.moment) > 0, scene.name
            store = desk.make_store()
            store.crash_at = number
            await platform.work(desk, store)
            if not store.dead:
                break
            deaths += 1
            # A run of the same work between the death and the next worker begins nothing more.
            await case.work(platform.dependencies_of_backups, case.moment)
            await check(platform, stage, case)
    assert deaths > 2
