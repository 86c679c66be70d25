"""A worker dies at each checkpoint of each workflow, before and after its commit; another one ends the operation."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.apps.domain.changes import RemoveApp
from services.apps.store import tables as app_tables
from services.apps.usecases.delegated_operations import end_silent_delegations
from services.apps.usecases.operations import cancel_operation
from services.backups.store.tables import backups as backup_rows
from services.clients.apps.errors import AppBusyError
from services.clients.backups.client import GrpcBackups
from services.common.core.errors import UnavailableError
from tests.failpoints.invariants import check_invariants
from tests.failpoints.platform import find_end
from tests.failpoints.scenes import SCENES, Scene
from tests.failpoints.stages import Stage, cancel_all, migrated, refuse, stage  # noqa: F401 - fixtures
from tests.pvesim.model.entities import Container

every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: str(scene.name))
undoable_scenes = pytest.mark.parametrize(
    "scene", [scene for scene in SCENES if not scene.final], ids=lambda scene: str(scene.name)
)


@dataclasses.dataclass(frozen=True)
class Play:
    """How a scene is played: where the worker dies, and what happens then.

    Attributes:
        crash_at: number of the checkpoint; among those of the undoing if it `fails`.
        fails: a step after the last one refuses, so that everything is undone.
        cancel: somebody cancels before the next worker comes.
    """

    crash_at: int
    fails: bool = False
    cancel: bool = False

    async def run(self, stage: Stage, scene: Scene) -> str | None:
        """Play it and check what must hold; how the operation ended, None when there is no such checkpoint."""
        async with stage.open() as platform:
            desk = platform.desks[scene.desk]
            if self.fails:
                refuse(desk, scene.kind)
            await scene.ask(platform, stage.made)
            store = desk.make_store()
            store.crash_at, store.when = self.crash_at, "undoing" if self.fails else ""
            await platform.work(desk, store)
            if not store.dead:
                return None
            if self.cancel:
                await cancel_all(desk)
            await platform.settle()
            await check_invariants(platform, stage.strangers)
            return await find_end(desk, scene.kind)


async def play_everywhere(stage: Stage, scene: Scene, *, stride: int = 1, **how: bool) -> set[str]:
    """Play a scene once for each checkpoint, or each `stride`-th; how the operations ended."""
    ends: set[str] = set()
    for number in itertools.count(step=max(stride, scene.stride)):
        try:
            end = await Play(number, **how).run(stage, scene)
        except AssertionError as error:
            raise AssertionError(f"checkpoint {number}: {error}") from error
        if end is None:
            break
        ends.add(end)
    return ends


@every_scene
async def test_another_worker_ends_what_a_dead_one_began(stage: Stage, scene: Scene) -> None:
    assert await play_everywhere(stage, scene) == {"succeeded"}


@undoable_scenes
async def test_another_worker_undoes_what_a_dead_one_began_to_undo(stage: Stage, scene: Scene) -> None:
    assert await play_everywhere(stage, scene, fails=True) == {"failed Refusing: no further"}


@undoable_scenes
async def test_what_is_cancelled_after_a_worker_died_ends_properly(stage: Stage, scene: Scene) -> None:
    ends = await play_everywhere(stage, scene, stride=3, cancel=True)
    assert ends == {"succeeded", "cancelled cancelled by request"}


@pytest.mark.parametrize("scene", [one for one in SCENES if one.name == "restore"], ids=["restore"])
@pytest.mark.parametrize("left", [None, {"lock": "create"}], ids=["nothing", "a wreck"])
async def test_a_restore_brings_a_lost_container_back(
    stage: Stage, scene: Scene, left: dict[str, Any] | None
) -> None:
    async with stage.open() as platform:
        cluster = platform.proxmox.cluster
        app = await platform.apps.get_app(stage.made[0])
        cluster.remove_container(app.vmid or 0)
        if left is not None:
            cluster.add_container(Container(app.vmid or 0, app.node, dict(left)))
        await scene.ask(platform, stage.made)
        await platform.settle()
        await check_invariants(platform, stage.strangers)
        assert await find_end(platform.desks["backups"], scene.kind) == "succeeded"


@pytest.mark.parametrize("scene", [one for one in SCENES if one.name == "deploy"], ids=["deploy"])
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["goes on", "cancelled"])
async def test_where_only_a_person_can_take_a_lock_off_that_is_said_and_waited_for(
    stage: Stage, scene: Scene, is_cancelled: bool
) -> None:
    async with stage.open() as platform:
        platform.access.is_token = True
        cluster, desk = platform.proxmox.cluster, platform.desks["apps"]
        await scene.ask(platform, stage.made)
        store = desk.make_store()
        store.crash_at = 2  # its id is written down
        await desk.run(store)
        (app,) = await platform.apps.list_all_apps()
        wreck = Container(app.vmid or 0, app.node, {"lock": "create"})
        cluster.add_container(wreck)
        if is_cancelled:
            await cancel_all(desk)
        for _ in range(3):
            await desk.let_time_pass()
            await desk.run(desk.make_store())
        ((*_, waiting_for, _),) = await platform.describe_operations()
        assert f"run `pct unlock {app.vmid}` on {app.node}" in waiting_for
        lines = sa.select(app_tables.app_events.c.message).where(app_tables.app_events.c.level == "warning")
        assert await desk.read(lines) == [], "waiting adds no lines"
        del wreck.config["lock"]
        await platform.settle()
        await check_invariants(platform, stage.strangers)
        assert (await find_end(desk, scene.kind)).startswith("cancelled" if is_cancelled else "succeeded")
        assert (app.vmid in cluster.containers) == (not is_cancelled)


@pytest.mark.parametrize("scene", [one for one in SCENES if one.name == "start"], ids=["start"])
async def test_what_a_removed_app_held_is_given_back(stage: Stage, scene: Scene) -> None:
    async with stage.open() as platform:
        assert await platform.removed.release(settled=timedelta(0)) == 0
        await platform.apps.change(RemoveApp(stage.made))
        assert await platform.removed.release(settled=timedelta(hours=1)) == 0
        assert await platform.removed.release(settled=timedelta(0)) == 1
        assert await platform.removed.release(settled=timedelta(0)) == 0


@pytest.mark.parametrize(
    "scene", [one for one in SCENES if one.name in {"backup", "restore"}], ids=lambda scene: str(scene.name)
)
@pytest.mark.parametrize("crash_at", [None, 3], ids=["queued", "begun"])
async def test_what_backups_carries_out_is_cancelled_through_apps(
    stage: Stage, scene: Scene, crash_at: int | None
) -> None:
    async with stage.open() as platform:
        await scene.ask(platform, stage.made)
        if crash_at is not None:
            store = platform.desks["backups"].make_store()
            store.crash_at = crash_at
            await platform.desks["backups"].run(store)
            assert store.dead
        app_id = stage.made if scene.name == "backup" else stage.made[0]
        operation = await platform.apps.find_unfinished(app_id)
        assert operation is not None
        await cancel_operation(platform.dependencies, app_id, operation_id=operation.id, owner_filter=None)
        await platform.settle()
        await check_invariants(platform, stage.strangers)
        assert await find_end(platform.desks["backups"], scene.kind) == "cancelled cancelled by request"
        assert (await platform.apps.get_app(app_id)).status == "running"
        with pytest.raises(AppBusyError):
            await cancel_operation(
                platform.dependencies, app_id, operation_id=operation.id, owner_filter=None
            )


@pytest.mark.parametrize("scene", [one for one in SCENES if one.name == "backup"], ids=["backup"])
async def test_an_app_held_for_nothing_is_let_go(stage: Stage, scene: Scene) -> None:
    async with stage.open() as platform:
        backups, desk = GrpcBackups(platform.clients), platform.desks["backups"]
        await scene.ask(platform, stage.made)
        assert await end_silent_delegations(platform.apps, backups, seconds=0) == 0, "it is under way"
        platform.clients.down.add("backups")
        with pytest.raises(UnavailableError):
            await end_silent_delegations(platform.apps, backups, seconds=0)
        platform.clients.down.clear()
        forget = (
            desk.tables.operations.delete(),
            backup_rows.delete(),
        )  # a database brought back from before
        await desk.db.write(lambda connection: [connection.execute(query) for query in forget])
        assert await end_silent_delegations(platform.apps, backups, seconds=3600) == 0, (
            "it was heard of just now"
        )
        assert await end_silent_delegations(platform.apps, backups, seconds=0) == 1
        assert (await platform.apps.get_app(stage.made)).status == "running"
        await check_invariants(platform, stage.strangers)
