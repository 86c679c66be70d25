"""The platform's databases are restored to a state older than reality: what was done meanwhile is not done again."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from services.inventory.proxmox.marks import find_owner
from tests.failpoints.invariants import check_operations, describe_strangers
from tests.failpoints.platform import SERVICES, Platform, copy_proxmox
from tests.failpoints.scenes import SCENES, Scene
from tests.failpoints.stages import Stage, migrated, stage  # noqa: F401 - fixtures
from tests.failpoints.wiring import open_platform
from tests.pvesim.model.entities import Container

_NAMES = {
    "deploy",
    "deploy an image",
    "clone",
    "clone while it runs",
    "restore beside",
    "upgrade",
    "delete",
    "adopt",
}
every_scene = pytest.mark.parametrize(
    "scene", [one for one in SCENES if one.name in _NAMES], ids=lambda scene: str(scene.name)
)
_COMING = ("deploying", "cloning")
_STRIDE = 3  # every third checkpoint: each is played to its end twice


def back_up(folder: Path, target: Path) -> None:
    """Copy the databases while they are open, as `make backup` does."""
    target.mkdir()
    for service in SERVICES:
        with (
            closing(sqlite3.connect(folder / f"p-{service}.sqlite3")) as source,
            closing(sqlite3.connect(target / f"p-{service}.sqlite3")) as copy,
        ):
            source.backup(copy)


def mix(old: Path, new: Path, target: Path, *, older: tuple[str, ...]) -> None:
    """The databases of some services as they were, the others as they are."""
    back_up(new, target)
    for service in older:
        (target / f"p-{service}.sqlite3").write_bytes((old / f"p-{service}.sqlite3").read_bytes())


async def check_no_doubles(platform: Platform) -> None:
    """Raise AssertionError where a mark is on two containers, or an app that runs has none."""
    found = platform.proxmox.cluster.containers.values()
    marks = Counter(owner for one in found if (owner := find_owner(one.config)) is not None)
    assert not {owner: count for owner, count in marks.items() if count > 1}
    for app in await platform.apps.list_all_apps():
        assert app.is_stable, f"{app.id} is {app.status}"
        if app.status == "running":
            assert find_owner(platform.proxmox.cluster.containers[app.vmid or 0].config) == app.id
            assert platform.proxmox.cluster.containers[app.vmid or 0].running


@every_scene
@pytest.mark.parametrize("older", [SERVICES, ("apps",), ("apps", "backups")], ids="+".join)
async def test_what_was_done_after_the_backup_is_not_done_again(
    stage: Stage,  # noqa: F811 - the fixture
    scene: Scene,
    tmp_path: Path,
    older: tuple[str, ...],
) -> None:
    # Backed up when nothing was done yet, then at the checkpoints on the way.
    for number in itertools.chain([None], itertools.count(step=max(_STRIDE, scene.stride))):
        was, old, mixed, now = (tmp_path / f"{name}-{number}" for name in ("was", "old", "mixed", "now"))
        was.mkdir()
        now.mkdir()
        proxmox = copy_proxmox(stage.proxmox)
        async with open_platform(stage.saved, was, proxmox) as platform:
            await scene.ask(platform, stage.made)
            if number is not None and not await die_at(platform, scene, number):
                return
            back_up(was, old)
            displaced = await displace(platform)
            await platform.deploy("later-01")  # it may take an id that the older databases think is free
            await platform.settle()
            mix(old, was, mixed, older=older)
        for vmid in displaced:
            proxmox.cluster.remove_container(vmid)
        async with open_platform(mixed, now, proxmox) as platform:
            await platform.settle()
            try:
                await check_operations(platform)
                await check_no_doubles(platform)
            except AssertionError as error:
                raise AssertionError(f"checkpoint {number}: {error}") from error
            adopted = {app.vmid for app in await platform.apps.list_all_apps()}
            assert {vmid for vmid in stage.strangers if vmid not in adopted} <= set(
                describe_strangers(proxmox)
            )


async def die_at(platform: Platform, scene: Scene, number: int) -> bool:
    """Let a worker die at a checkpoint; False when there is no such checkpoint."""
    desk = platform.desks[scene.desk]
    store = desk.make_store()
    store.crash_at = number
    await platform.work(desk, store)
    return store.dead


async def displace(platform: Platform) -> list[int]:
    """Have strangers take the ids that are reserved and not used yet, so that the containers get others."""
    cluster = platform.proxmox.cluster
    platform.proxmox.run_tasks()
    taken = []
    for app in await platform.apps.list_all_apps():
        if app.vmid is not None and app.vmid not in cluster.containers and app.status in _COMING:
            cluster.add_container(
                Container(app.vmid, app.node, {"hostname": "stranger", "rootfs": "local-lvm:x"})
            )
            taken.append(app.vmid)
    return taken
