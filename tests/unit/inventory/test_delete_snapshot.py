"""DeleteSnapshot: a snapshot goes; one that is gone is done."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.usecases.snapshots import delete_snapshot, snapshot_container
from tests.fakes.inventory import InstantInventory


async def take(inventory: InstantInventory, ref: ContainerRef, name: str, owner: str = "shop") -> ProxmoxTask:
    return await snapshot_container(inventory.lookup, ref, owner=owner, name=name)


def list_names(inventory: InstantInventory, ref: ContainerRef) -> list[str]:
    return list(inventory.proxmox.cluster.containers[ref.vmid].snapshots)


async def test_one_snapshot_is_deleted_once_and_the_others_stay(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    for name in ("one", "two"):
        await take(inventory, ref, name)
    task = await delete_snapshot(inventory.lookup, ref, owner="shop", name="one")
    assert (await inventory.finish(task)).succeeded
    assert list_names(inventory, ref) == ["two"]
    assert (await delete_snapshot(inventory.lookup, ref, owner="shop", name="one")).upid == ""


async def test_others_and_locks_refuse_it(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    await take(inventory, ref, "one")
    with pytest.raises(NotOursError):
        await delete_snapshot(inventory.lookup, ref, owner="blog", name="one")
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await delete_snapshot(inventory.lookup, ref, owner="shop", name="one")
    assert list_names(inventory, ref) == ["one"]


async def test_a_snapshot_that_is_being_taken_is_deleted_later(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    inventory.proxmox.hold_tasks = True
    await take(inventory, ref, "one")
    with pytest.raises(ContainerLockedError, match="is being taken"):
        await delete_snapshot(inventory.lookup, ref, owner="shop", name="one")
