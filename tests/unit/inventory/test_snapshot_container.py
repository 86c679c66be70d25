"""SnapshotContainer: a snapshot of this name, taken once, where the storages can."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, NotOursError, SnapshotUnavailableError
from services.inventory.usecases.snapshots import snapshot_container
from tests.fakes.inventory import InstantInventory


async def take(inventory: InstantInventory, ref: ContainerRef, name: str, owner: str = "shop") -> ProxmoxTask:
    return await snapshot_container(inventory.lookup, ref, owner=owner, name=name)


def list_names(inventory: InstantInventory, ref: ContainerRef) -> list[str]:
    return list(inventory.proxmox.cluster.containers[ref.vmid].snapshots)


async def test_a_snapshot_is_taken_once(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    task = await take(inventory, ref, "before")
    assert ((await inventory.finish(task)).succeeded, task.result) == (True, "before")
    again = await take(inventory, ref, "before")
    assert (again.upid, again.result) == ("", "before")
    assert list_names(inventory, ref) == ["before"]


async def test_where_it_is_not_possible_or_not_allowed_none_is_taken(inventory: InstantInventory) -> None:
    flat = await inventory.create("flat", storage="local")
    with pytest.raises(SnapshotUnavailableError, match=str(flat.vmid)):
        await take(inventory, flat, "before", "flat")
    ref = await inventory.create()
    with pytest.raises(NotOursError):
        await take(inventory, ref, "before", "blog")
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await take(inventory, ref, "before")
    assert list_names(inventory, ref) == []
