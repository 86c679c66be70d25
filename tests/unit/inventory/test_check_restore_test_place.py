"""CheckRestoreTestPlace: the nodes that have an isolated bridge, and those that have a storage for containers."""

from __future__ import annotations

from services.inventory.usecases.check_restore_test_place import PlaceCheck, check_restore_test_place
from tests.fakes.inventory import InstantInventory, SilentHosts


async def check(inventory: InstantInventory, *, bridge: str = "", storage: str = "") -> PlaceCheck:
    parts = inventory.parts
    return await check_restore_test_place(parts.hosts, parts.fleet, bridge=bridge, storage=storage)


async def test_a_bridge_with_ports_or_without_existence_is_on_no_node(inventory: InstantInventory) -> None:
    found = await check(inventory, bridge="vmbr0")
    assert found.bridge_nodes == ()
    assert all("is not isolated" in problem for problem in found.bridge_problems)
    found = await check(inventory, bridge="vmbr7")
    assert found.bridge_problems[0] == "node pve1 has no bridge vmbr7"


async def test_a_storage_must_take_containers(inventory: InstantInventory) -> None:
    assert (await check(inventory, storage="local-lvm")).storage_nodes == ("pve/pve1", "pve/pve2", "pve/pve3")
    assert (await check(inventory, storage="backup")).storage_nodes == ()
    assert (await check(inventory, storage="nope")).storage_nodes == ()


async def test_a_silent_host_is_named(inventory: InstantInventory) -> None:
    inventory.proxmox.outage = SilentHosts("pve")
    found = await check(inventory, bridge="vmbr9")
    assert found.bridge_nodes == ()
    assert "does not answer" in found.bridge_problems[0]
