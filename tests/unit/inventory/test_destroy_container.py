"""DestroyContainer: a stopped container of the owner goes, and what a broken creation left."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, ContainerRunningError, NotOursError
from services.inventory.usecases.power import destroy_container
from tests.fakes.inventory import InstantInventory
from tests.pvesim.model.entities import Volume


async def destroy(inventory: InstantInventory, ref: ContainerRef, owner: str = "shop") -> ProxmoxTask:
    return await destroy_container(inventory.lookup, ref, owner=owner, access=inventory.parts.access)


async def test_a_stopped_container_is_destroyed_once(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    assert (await inventory.finish(await destroy(inventory, ref))).succeeded
    assert ref.vmid not in inventory.proxmox.cluster.containers
    assert (await destroy(inventory, ref)).upid == ""


async def test_disks_with_its_id_that_it_does_not_refer_to_stay(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    other = Volume("nas", f"vm-{ref.vmid}-disk-3", "", "rootdir", 1 << 30, "raw", 0, vmid=ref.vmid)
    inventory.proxmox.cluster.add("volumes", other.key, other)
    assert (await inventory.finish(await destroy(inventory, ref))).succeeded
    left = [one for one in inventory.proxmox.cluster.volumes.values() if one.vmid == ref.vmid]
    assert left == [other], "it may be that of another cluster on the same storage"


async def test_running_containers_and_those_of_others_stay(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    with pytest.raises(ContainerRunningError, match="stop it first"):
        await destroy(inventory, ref)
    with pytest.raises(NotOursError, match="'shop'"):
        await destroy(inventory, ref, "blog")
    with pytest.raises(NotOursError):
        await destroy(inventory, inventory.stranger)
    assert {ref.vmid, 101} <= set(inventory.proxmox.cluster.containers)


async def test_a_locked_container_is_refused_and_a_wreck_of_the_owner_goes(
    inventory: InstantInventory,
) -> None:
    ref = await inventory.create()
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await destroy(inventory, ref)
    config = inventory.config(ref)
    config.pop("tags")
    config.pop("description")
    inventory.lock(ref, "create")
    with pytest.raises(NotOursError, match="by somebody else"):
        await destroy(inventory, ref, "blog")
    assert (await inventory.finish(await destroy(inventory, ref))).succeeded
    assert ref.vmid not in inventory.proxmox.cluster.containers
