"""ReserveVmid: an id that neither Proxmox nor a reservation uses."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError, NoFreeVmidError
from services.inventory.store import SqlVmidStore
from services.inventory.usecases.placement import reserve_vmid
from tests.fakes.inventory import InstantInventory, SilentHosts


async def reserve(inventory: InstantInventory, owner: str, *, host_id: int = 0) -> int:
    parts = inventory.parts
    return await reserve_vmid(parts.vmids, parts.fleet, host_id=host_id or inventory.host.id, owner=owner)


async def test_an_owner_gets_the_same_id_again_and_another_owner_the_next(
    inventory: InstantInventory,
) -> None:
    assert [await reserve(inventory, owner) for owner in ("shop", "blog", "shop")] == [9000, 9001, 9000]


async def test_an_id_that_proxmox_uses_is_not_reserved(inventory: InstantInventory) -> None:
    ref = await inventory.create("shop")
    await inventory.parts.vmids.release_vmid(inventory.host.id, "shop")
    assert ref.vmid == 9000
    assert await reserve(inventory, "blog") == 9001


async def test_a_range_that_is_used_up_is_named(inventory: InstantInventory) -> None:
    inventory.parts.vmids = SqlVmidStore(inventory.parts.db, lowest=9000, highest=9000)
    await reserve(inventory, "shop")
    with pytest.raises(NoFreeVmidError, match="from 9000 to 9000"):
        await reserve(inventory, "blog")


async def test_without_an_answer_of_the_host_nothing_is_reserved(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError):
        await reserve(inventory, "shop", host_id=99)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await reserve(inventory, "shop")
    assert await inventory.parts.vmids.count() == 0
