"""What a restore test leaves when its worker dies and its operation is lost: the periodic removal destroys it."""

from __future__ import annotations

import itertools

import pytest

from services.backups.store.tables import backups
from services.backups.usecases.restore_tests import remove_stale_tests
from tests.failpoints.invariants import check_invariants
from tests.failpoints.platform import Desk
from tests.failpoints.scenes import SCENES, Scene
from tests.failpoints.stages import Stage, migrated, stage

__all__ = ["migrated", "stage"]
_SCENE = next(one for one in SCENES if one.name == "test backup")


async def forget_operations(desk: Desk) -> None:
    """Lose the operations, as when a database of before the test is brought back."""
    forget = (
        desk.tables.steps.delete(),
        desk.tables.operations.delete(),
        backups.update().values(test_status="untested"),
    )
    await desk.db.write(lambda connection: [connection.execute(query) for query in forget])


@pytest.mark.parametrize("scene", [_SCENE], ids=["test backup"])
async def test_a_lost_test_leaves_nothing_wherever_its_worker_died(stage: Stage, scene: Scene) -> None:
    removed = 0
    for number in itertools.count():
        async with stage.open() as platform:
            desk = platform.desks["backups"]
            await scene.ask(platform, stage.made)
            store = desk.make_store()
            store.crash_at = number
            await platform.work(desk, store)
            if not store.dead:
                break
            platform.proxmox.run_tasks()
            await forget_operations(desk)
            removed += await remove_stale_tests(platform.dependencies_of_backups)
            platform.proxmox.run_tasks()
            await check_invariants(platform, stage.strangers)
    assert removed > number / 3, "most of the crashes left an id or a container"
