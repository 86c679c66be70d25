"""ReleaseVmid: the owner's id and addresses are free again, and nobody else's."""

from __future__ import annotations

from services.inventory.domain.links import NetworkSegment
from services.inventory.usecases.placement import release_vmid
from tests.fakes.inventory import InstantInventory


async def test_only_what_the_owner_has_reserved_on_the_host_is_released(inventory: InstantInventory) -> None:
    vmids, addresses, place = inventory.parts.vmids, inventory.parts.addresses, NetworkSegment("vmbr0")
    for number, owner in ((5, "shop"), (6, "blog")):
        await inventory.create(owner)
        await addresses.claim_address(inventory.host.id, place, owner=owner, address=f"10.0.0.{number}")
    for _ in range(2):  # without a reservation there is nothing to do
        await release_vmid(vmids, host_id=inventory.host.id, owner="shop")
    assert await vmids.list_owners(inventory.host.id) == {9001: "blog"}
    found = [await addresses.find_owner(inventory.host.id, place, address=f"10.0.0.{n}") for n in (5, 6)]
    assert found == [None, "blog"]


async def test_a_reservation_on_another_host_stays(inventory: InstantInventory) -> None:
    other = await inventory.add_host("other")
    await inventory.parts.vmids.reserve_vmid(other.id, "shop", taken=set())
    await release_vmid(inventory.parts.vmids, host_id=inventory.host.id, owner="shop")
    assert await inventory.parts.vmids.find_vmid(other.id, "shop") == 9000
