"""Ten minutes without Proxmox at any step of any workflow: the operation waits, says so, and ends well."""

from __future__ import annotations

import itertools

import pytest

from tests.failpoints.invariants import check_invariants
from tests.failpoints.outage import KINDS, Outage, outlive
from tests.failpoints.platform import find_end
from tests.failpoints.scenes import SCENES, Scene
from tests.failpoints.stages import Stage, migrated, stage  # noqa: F401 - fixtures

every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: str(scene.name))
_SKIPS = (0, 3)  # requests of the step that are still answered: Proxmox goes away before it, or in the middle


async def play(stage: Stage, scene: Scene, outage: Outage) -> bool:  # noqa: F811 - the fixture
    """Play a scene with an outage; whether the outage came."""
    async with stage.open() as platform:
        platform.proxmox.outage = outage
        await scene.ask(platform, stage.made)
        await outlive(platform, outage)
        platform.proxmox.outage = None
        await check_invariants(platform, stage.strangers)
        end = await find_end(platform.desks[scene.desk], scene.kind)
        assert end == "succeeded", f"{outage.kind} at step {outage.step} after {outage.skip}: {end}"
        return outage.steps > outage.step


@every_scene
async def test_ten_minutes_without_proxmox_at_any_step_end_well(stage: Stage, scene: Scene) -> None:  # noqa: F811
    kinds, struck = itertools.cycle(KINDS), 0
    for step in itertools.count():
        outage = Outage(next(kinds), step, _SKIPS[step // 2 % 2])
        if not await play(stage, scene, outage):
            break
        struck += outage.struck
    assert struck, "some request met an outage"
