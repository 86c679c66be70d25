"""DropSnapshots: the platform's own old snapshots go, and nobody else's."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.usecases.snapshots import drop_snapshots, snapshot_container
from tests.fakes.inventory import InstantInventory


async def take(inventory: InstantInventory, ref: ContainerRef, name: str, owner: str = "shop") -> ProxmoxTask:
    return await snapshot_container(inventory.lookup, ref, owner=owner, name=name)


def list_names(inventory: InstantInventory, ref: ContainerRef) -> list[str]:
    return list(inventory.proxmox.cluster.containers[ref.vmid].snapshots)


async def test_only_own_snapshots_of_that_age_are_deleted(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    for name in ("proximity-1", "mine", "proximity-2"):
        await take(inventory, ref, name)
    assert await drop_snapshots(inventory.lookup, ref, owner="shop", min_age_s=1e12) == []
    dropped = await drop_snapshots(inventory.lookup, ref, owner="shop", min_age_s=0)
    assert dropped == ["proximity-1", "proximity-2"]
    assert list_names(inventory, ref) == ["mine"]


async def test_others_and_locks_refuse_it(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    await take(inventory, ref, "proximity-1")
    with pytest.raises(NotOursError):
        await drop_snapshots(inventory.lookup, ref, owner="blog", min_age_s=0)
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await drop_snapshots(inventory.lookup, ref, owner="shop", min_age_s=0)
    assert list_names(inventory, ref) == ["proximity-1"]
