"""No test container survives an hour, by a simulated clock: dead workers, hanging tasks, inventory or the host away."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from services.backups.store.tables import backups
from services.backups.usecases.restore_tests import remove_stale_tests
from services.common.core.errors import UnavailableError
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.marks import find_owner
from services.inventory.store.tables import vmids
from tests.failpoints.invariants import check_invariants
from tests.failpoints.platform import Platform
from tests.failpoints.scenes import SCENES, Scene
from tests.failpoints.simulated_clock import SimulatedClock, simulate_clock
from tests.failpoints.stages import Stage, migrated, stage

__all__ = ["migrated", "stage"]
MINUTE = timedelta(minutes=1)
HOUR = 60  # minutes
JOB = 5  # minutes between two removals of stale tests
_SCENE = next(one for one in SCENES if one.name == "test backup")
of_test = pytest.mark.parametrize("scene", [_SCENE], ids=["test backup"])


class HostAway:
    """An outage of the host that a test ends."""

    def meddle(self, client: ProxmoxClient, _method: str, _path: str, _send: Callable[[], Any]) -> Any:
        """Refuse the connection."""
        raise HostUnreachableError(
            f"{client.access.name} does not answer: connection refused", metadata={"scope": "host"}
        )


@dataclass
class Times:
    """Minutes that pass on a platform.

    Attributes:
        worker: whether there is one that carries operations out.
        hangs: whether tasks of Proxmox never end.
        away: `inventory`, `host` or nothing, and from which minute to which.
    """

    platform: Platform
    clock: SimulatedClock
    worker: bool = True
    hangs: bool = False
    away: tuple[str, int, int] = ("", 0, 0)
    minute: int = 0
    born: dict[int, int] = field(default_factory=dict)
    oldest: int = 0

    async def pass_until(self, minute: int) -> None:
        """Let minutes pass, each with what workers and jobs do in it."""
        while self.minute < minute:
            self.minute += 1
            self.clock.advance(MINUTE)
            self._note_ages()
            self._set_away()
            if self.worker:
                for desk in self.platform.desks.values():
                    await desk.run(desk.make_store())
            if not self.hangs:
                self.platform.proxmox.run_tasks()
            if self.minute % JOB == 0:
                with contextlib.suppress(UnavailableError):  # it is logged, and repeated
                    await remove_stale_tests(self.platform.dependencies_of_backups)
                self.platform.proxmox.run_tasks()

    def list_containers(self) -> list[int]:
        """List the test containers that there are."""
        found = self.platform.proxmox.cluster.containers.values()
        return [one.vmid for one in found if (find_owner(one.config) or "").startswith("restore-test:")]

    async def check_ended(self, stage: Stage) -> None:
        """Raise AssertionError where something of the test is left."""
        assert self.list_containers() == []
        inventory = self.platform.databases["inventory"]
        query = vmids.select().where(vmids.c.owner.startswith("restore-test:"))
        assert await inventory.read(lambda connection: connection.execute(query).all()) == []
        await check_invariants(self.platform, stage.strangers)

    def _note_ages(self) -> None:
        self.born = {vmid: self.born.get(vmid, self.minute) for vmid in self.list_containers()}
        self.oldest = max([self.oldest, *(self.minute - born for born in self.born.values())])

    def _set_away(self) -> None:
        name, begin, end = self.away
        is_away = begin <= self.minute < end
        self.platform.proxmox.outage = HostAway() if is_away and name == "host" else None
        self.platform.clients.down.discard("inventory")
        if is_away and name == "inventory":
            self.platform.clients.down.add("inventory")
        if self.minute == end:
            self.platform.end_silence()


async def crash(platform: Platform, made: Any, number: int) -> bool:
    """Begin a restore test whose worker dies at a checkpoint; whether there is such a checkpoint."""
    desk = platform.desks["backups"]
    await _SCENE.ask(platform, made)
    store = desk.make_store()
    store.crash_at = number
    await platform.work(desk, store)
    platform.proxmox.run_tasks()
    return store.dead


@of_test
@pytest.mark.parametrize("away", ["", "inventory", "host"])
@pytest.mark.parametrize("worker", [True, False], ids=["another worker", "no worker"])
async def test_a_test_whose_worker_died_leaves_no_container_for_an_hour(
    stage: Stage, scene: Scene, monkeypatch: pytest.MonkeyPatch, worker: bool, away: str
) -> None:
    made_containers = 0
    for number in itertools.count(step=3):
        with monkeypatch.context() as patched:
            clock = simulate_clock(patched)
            async with stage.open() as platform:
                if not await crash(platform, stage.made, number):
                    break
                times = Times(platform, clock, worker=worker, away=(away, 1, 40))
                made_containers += bool(times.list_containers())
                await times.pass_until(HOUR)
                assert times.list_containers() == [], f"{scene.name} at checkpoint {number}"
                assert times.oldest < HOUR
                times.worker = True
                await times.pass_until(HOUR + 2)
                await times.check_ended(stage)
    assert made_containers > 1


@of_test
@pytest.mark.parametrize("worker", [True, False], ids=["another worker", "no worker"])
async def test_a_host_that_comes_back_after_an_hour_is_cleaned_within_minutes(
    stage: Stage, scene: Scene, monkeypatch: pytest.MonkeyPatch, worker: bool
) -> None:
    back = HOUR + 15
    clock = simulate_clock(monkeypatch)
    async with stage.open() as platform:
        assert await crash(platform, stage.made, 4), scene.name
        times = Times(platform, clock, worker=worker, away=("host", 1, back))
        assert times.list_containers()
        await times.pass_until(back - 1)
        assert times.list_containers(), "nobody can destroy it"
        await times.pass_until(back + 2 * JOB)
        assert times.list_containers() == []
        times.worker = True
        # An undoing that was refused for long is tried again within 12.5 minutes.
        await times.pass_until(back + 2 * JOB + 13)
        await times.check_ended(stage)
        desk = platform.desks["backups"]
        assert ("untested",) in await desk.read(backups.select().with_only_columns(backups.c.test_status))


@of_test
async def test_a_restore_that_hangs_is_broken_off_within_the_hour(
    stage: Stage, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = simulate_clock(monkeypatch)
    async with stage.open() as platform:
        await scene.ask(platform, stage.made)
        times = Times(platform, clock, hangs=True)
        await times.pass_until(HOUR)
        assert times.list_containers() == []
        assert times.oldest < HOUR
        times.hangs = False
        await times.pass_until(HOUR + 13)
        await times.check_ended(stage)


@of_test
@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)], ids=["forward", "back"])
async def test_a_clock_that_is_set_by_an_hour_makes_no_backup_fail_its_test(
    stage: Stage, scene: Scene, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    clock = simulate_clock(monkeypatch)
    async with stage.open() as platform:
        assert await crash(platform, stage.made, 4), scene.name
        clock.advance(step)
        times = Times(platform, clock)
        await times.pass_until(2 * JOB)
        await times.check_ended(stage)
        query = backups.select().with_only_columns(backups.c.test_status)
        expected = "untested" if step > timedelta(0) else "passed"
        assert await platform.desks["backups"].read(query) == [(expected,)]
