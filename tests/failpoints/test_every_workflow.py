"""Every registered workflow, with every step, has a scene: it is carried out again from each of its checkpoints."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.failpoints.platform import Desk, make_proxmox
from tests.failpoints.scenes import SCENES
from tests.failpoints.stages import migrated
from tests.failpoints.wiring import open_platform

__all__ = ["migrated"]


Steps = set[tuple[str, str]]


async def list_steps(desk: Desk) -> Steps:
    """List the steps that operations had, by their kind."""
    operations, steps = desk.tables.operations.c, desk.tables.steps.c
    query = sa.select(operations.kind, steps.name).where(steps.operation_id == operations.id)
    return {(str(kind), str(name)) for kind, name in await desk.read(query)}


async def test_every_registered_workflow_has_a_scene(migrated: Path, tmp_path: Path) -> None:
    async with open_platform(migrated, tmp_path, make_proxmox()) as platform:
        registered = {(name, kind) for name, desk in platform.desks.items() for kind in desk.workflows}
    # A backup is restored beside by two operations of one kind: the one of apps has the scene, and leads to the other.
    scenes = {(scene.desk, scene.kind) for scene in SCENES} | {("backups", "restore_beside")}
    assert registered == scenes, "add the missing ones to scenes.py"


async def test_every_step_of_the_workflows_of_backups_is_in_a_scene(migrated: Path, tmp_path: Path) -> None:
    found: Steps = set()
    wanted: Steps = set()
    for number, scene in enumerate(
        one for one in SCENES if one.desk == "backups" or one.kind == "restore_beside"
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_platform(migrated, folder, make_proxmox()) as platform:
            desk = platform.desks["backups"]
            made = await scene.prepare(platform)
            before = await list_steps(desk)
            await scene.ask(platform, made)
            await platform.settle()
            # What led to the scene is not crashed in it.
            found |= {one for one in await list_steps(desk) if one[0] == scene.kind or one not in before}
            wanted |= {
                (kind, step.name) for kind, workflow in desk.workflows.items() for step in workflow.steps
            }
    assert wanted - found == set(), "steps without a scene in scenes.py"
