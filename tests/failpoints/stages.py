"""Where a scene begins again and again."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from services.common.core.errors import PreconditionError
from services.common.operations.model import Context, Step
from tests.failpoints.invariants import describe_strangers
from tests.failpoints.platform import Desk, Platform, copy_proxmox, make_proxmox, migrate
from tests.failpoints.scenes import Scene
from tests.failpoints.wiring import open_platform
from tests.pvesim.instant import InstantProxmox


@dataclasses.dataclass
class Stage:
    """Where a scene begins again and again: saved databases, a cluster, what was made."""

    saved: Path
    folder: Path
    proxmox: InstantProxmox
    made: Any
    strangers: dict[int, Any]
    numbers: Iterator[int]

    def open(self) -> AbstractAsyncContextManager[Platform]:
        """The platform as it was."""
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        return open_platform(self.saved, folder, copy_proxmox(self.proxmox))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    migrate(folder)
    return folder


@pytest.fixture
async def stage(scene: Scene, migrated: Path, tmp_path: Path) -> Stage:
    """The scene, ready to be asked for."""
    proxmox, saved = make_proxmox(), tmp_path / "saved"
    saved.mkdir()
    strangers = describe_strangers(proxmox)
    async with open_platform(migrated, saved, proxmox) as platform:
        made = await scene.prepare(platform)
    return Stage(saved, tmp_path, proxmox, made, strangers, itertools.count())


def refuse(desk: Desk, kind: str) -> None:
    """Let the workflow fail after its last step from which there is a way back."""

    async def fail(_: Any, __: Context) -> Any:
        raise PreconditionError("no further")

    workflow = desk.workflows[kind]
    last = max(number for number, step in enumerate(workflow.steps) if step.cancellable)
    before, after = workflow.steps[: last + 1], workflow.steps[last + 1 :]
    steps = (*before, Step("refuse", "Refusing", fail), *after)
    desk.workflows[kind] = dataclasses.replace(workflow, steps=steps)


async def cancel_all(desk: Desk) -> None:
    """Have somebody cancel every operation."""
    query = desk.tables.operations.update().values(cancel_requested=True)
    await desk.db.write(lambda connection: connection.execute(query))
