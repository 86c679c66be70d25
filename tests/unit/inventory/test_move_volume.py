"""MoveVolume: volumes of a stopped container become those of another one, one by one."""

from __future__ import annotations

import pytest

from services.inventory.domain.container_spec import MountPoint
from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, ContainerRunningError, NotOursError
from services.inventory.usecases.move_volume import move_volume
from tests.fakes.inventory import InstantInventory


async def make_pair(inventory: InstantInventory) -> tuple[ContainerRef, ContainerRef]:
    mounts = tuple(MountPoint(path=path, size_gb=1) for path in ("/data", "/config"))
    return await inventory.create("shop", mounts=mounts), await inventory.create("heir")


async def move(
    inventory: InstantInventory, pair: tuple[ContainerRef, ContainerRef], *, source_owner: str = "shop"
) -> ProxmoxTask:
    return await move_volume(
        inventory.lookup,
        source=pair[0],
        target=pair[1],
        source_owner=source_owner,
        target_owner="heir",
    )


async def test_volumes_move_until_the_source_has_none_left(inventory: InstantInventory) -> None:
    pair = await make_pair(inventory)
    moved = []
    while (task := await move(inventory, pair)).result:
        assert (await inventory.finish(task)).succeeded
        moved.append(task.result)
    assert len(moved) == 2
    source, target = inventory.config(pair[0]), inventory.config(pair[1])
    assert not [key for key in source if key.startswith("mp")]
    assert ["mp=/data" in target["mp0"], "mp=/config" in target["mp1"]] == [True, True]


async def test_a_source_that_is_gone_has_none_left(inventory: InstantInventory) -> None:
    _, target = await make_pair(inventory)
    gone = ContainerRef(inventory.host.id, 9999, "pve1")
    assert await move(inventory, (gone, target)) == ProxmoxTask(inventory.host.id, "pve1")


async def test_running_locked_and_other_owners_containers_are_refused(inventory: InstantInventory) -> None:
    pair = await make_pair(inventory)
    with pytest.raises(NotOursError):
        await move(inventory, pair, source_owner="blog")
    with pytest.raises(NotOursError):
        await move(inventory, (pair[0], inventory.stranger))
    inventory.lock(pair[1])
    with pytest.raises(ContainerLockedError):
        await move(inventory, pair)
    inventory.config(pair[1]).pop("lock")
    await inventory.start(pair[0])
    with pytest.raises(ContainerRunningError, match="stop it first"):
        await move(inventory, pair)
    assert "mp0" in inventory.config(pair[0])
