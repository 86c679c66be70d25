"""FindOwnedContainers: containers with an owner's marks, on any host."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.domain.scans import ScannedContainer
from services.inventory.usecases.containers import find_owned_containers
from tests.fakes.inventory import InstantInventory, SilentHosts


async def find(inventory: InstantInventory, owner: str, *, host_id: int = 0) -> list[ScannedContainer]:
    return await find_owned_containers(
        inventory.parts.hosts,
        inventory.parts.scanner,
        owner=owner,
        host_id=host_id or inventory.host.id,
        hostname=owner,
    )


async def test_only_containers_with_the_owners_marks_are_found(inventory: InstantInventory) -> None:
    ref = await inventory.create("shop")
    await inventory.create("blog")
    assert [(one.vmid, one.owner) for one in await find(inventory, "shop")] == [(ref.vmid, "shop")]
    assert await find(inventory, "wiki") == [], "a host name alone is no mark"
    inventory.config(ref)["tags"] = "other"
    assert await find(inventory, "shop") == []


async def test_other_hosts_are_searched_and_left_out_when_they_are_silent(
    inventory: InstantInventory,
) -> None:
    other = await inventory.add_host("other")
    ref = await inventory.create("shop")
    found = await find(inventory, "shop")
    assert [(one.host_id, one.vmid) for one in found] == [(inventory.host.id, ref.vmid), (other.id, ref.vmid)]
    inventory.proxmox.outage = SilentHosts("other")
    assert [one.host_id for one in await find(inventory, "shop")] == [inventory.host.id]


async def test_the_named_host_has_to_answer(inventory: InstantInventory) -> None:
    await inventory.create("shop")
    with pytest.raises(HostNotFoundError):
        await find(inventory, "shop", host_id=99)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await find(inventory, "shop")
