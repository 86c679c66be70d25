"""Ten minutes without Proxmox at any step of any workflow: the operation waits, says so, and ends well."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.failpoints.invariants import check_invariants
from tests.failpoints.outage import KINDS, Outage, outlive
from tests.failpoints.platform import find_end
from tests.failpoints.scenes import SCENES, Scene
from tests.failpoints.stages import Stage, cancel_all, migrated, refuse, stage  # noqa: F401 - fixtures

every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: str(scene.name))
undoable_scenes = pytest.mark.parametrize(
    "scene", [scene for scene in SCENES if not scene.final], ids=lambda scene: str(scene.name)
)
_SKIPS = (0, 3)  # requests of the step that are still answered: Proxmox goes away before it, or in the middle
# Retries are alike and take most of the time: an outage at every fifth step, each time of the next kind, sees all of them.
_UNHURRIED_EVERY = 5
_PACE = 5
_LONGEST_S = 1200  # an upgrade has a hundred requests, and this runs beside whatever else the machine does

pytestmark = pytest.mark.timeout(_LONGEST_S)


async def play(
    stage: Stage, scene: Scene, outage: Outage, *, fails: bool = False, cancel: bool = False
) -> str | None:
    """Play a scene with an outage and check what must hold; how it ended, None when the outage never came.

    Args:
        stage: where the scene begins.
        scene: what is asked for.
        outage: of Proxmox.
        fails: a step after the last one refuses, so that everything is undone.
        cancel: somebody cancels while Proxmox is away.
    """
    async with stage.open() as platform:
        desk = platform.desks[scene.desk]
        if fails:
            refuse(desk, scene.kind)
        if cancel:
            outage.on_begin = lambda: cancel_all(desk)
        platform.proxmox.outage = outage
        await scene.ask(platform, stage.made)
        await outlive(platform, outage)
        platform.proxmox.outage = None
        await check_invariants(platform, stage.strangers)
        return await find_end(desk, scene.kind) if outage.steps > outage.step else None


async def play_everywhere(
    stage: Stage, scene: Scene, make: Callable[[str, int, int], Outage], **how: bool
) -> set[str]:
    """Play a scene once for each step, with one kind of outage after the other; how it ended."""
    kinds, ends, struck = itertools.cycle(KINDS), set(), 0
    for step in itertools.count():
        outage = make(next(kinds), step, _SKIPS[step // 2 % 2])
        outage.pace = _PACE if step % _UNHURRIED_EVERY else 1
        kind = outage.kind
        try:
            end = await play(stage, scene, outage, **how)
        except AssertionError as error:
            raise AssertionError(f"{kind} at step {step} after {outage.skip}: {error}") from error
        if end is None:
            break
        ends.add(end)
        struck += outage.struck
    assert struck, "some request met an outage"
    return ends


@every_scene
async def test_ten_minutes_without_proxmox_at_any_step_end_well(stage: Stage, scene: Scene) -> None:
    assert await play_everywhere(stage, scene, Outage) == {"succeeded"}


@pytest.mark.parametrize(
    "scene",
    [scene for scene in SCENES if not scene.final and scene.leaves],
    ids=lambda scene: str(scene.name),
)
async def test_ten_minutes_without_proxmox_leave_nothing_that_was_to_be_undone(
    stage: Stage, scene: Scene
) -> None:
    ends = await play_everywhere(
        stage, scene, lambda kind, step, skip: Outage(kind, step, skip, undoing=True), fails=True
    )
    assert ends == {"failed Refusing: no further"}


@undoable_scenes
async def test_what_is_cancelled_while_proxmox_is_away_ends_properly(stage: Stage, scene: Scene) -> None:
    ends = await play_everywhere(stage, scene, Outage, cancel=True)
    assert ends <= {"succeeded", "cancelled cancelled by request"}
    assert "cancelled cancelled by request" in ends
