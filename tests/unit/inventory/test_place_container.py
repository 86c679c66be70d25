"""PlaceContainer: a host and node that has what is required, and an address that nobody has."""

from __future__ import annotations

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.errors import (
    AddressTakenError,
    BridgeNotFoundError,
    HostNotFoundError,
    NodeOfflineError,
    NodeUnknownError,
    NoOnlineNodeError,
    StorageNotFoundError,
)
from services.inventory.domain.patches import HostChanges
from services.inventory.domain.placement import ChosenPlace, PlacementRequest
from services.inventory.domain.user_networks import NetworkRequest
from services.inventory.usecases.placement import place_container
from tests.fakes.inventory import InstantInventory


async def place(
    inventory: InstantInventory,
    request: PlacementRequest | None = None,
    *,
    network: NetworkRequest | None = None,
    host_id: int | None = None,
) -> ChosenPlace:
    return await place_container(
        inventory.parts.hosts,
        inventory.parts.candidates,
        fleet=inventory.parts.fleet,
        networks=inventory.parts.networks,
        request=request or PlacementRequest(),
        network_request=network or NetworkRequest(),
        host_id=host_id,
        owner="shop",
    )


async def test_the_node_with_most_free_memory_is_chosen(inventory: InstantInventory) -> None:
    for name, used in (("pve1", 60), ("pve2", 2), ("pve3", 60)):
        inventory.proxmox.cluster.nodes[name].memory_used = used << 30
    chosen = await place(inventory, PlacementRequest(memory_mb=512))
    assert (chosen.candidate.host_name, chosen.candidate.node) == ("pve", "pve2")
    assert (chosen.bridge, chosen.gateway) == ("vmbr0", "10.0.0.1")


async def test_a_node_that_is_unknown_or_down_is_refused_by_its_name(inventory: InstantInventory) -> None:
    with pytest.raises(NodeUnknownError, match="'pve9'"):
        await place(inventory, PlacementRequest(node="pve9"))
    inventory.proxmox.cluster.nodes["pve2"].online = False
    with pytest.raises(NodeOfflineError, match="'pve2' is offline"):
        await place(inventory, PlacementRequest(node="pve2"))
    for node in inventory.proxmox.cluster.nodes.values():
        node.online = False
    with pytest.raises(NoOnlineNodeError):
        await place(inventory)


async def test_storage_bridge_and_host_have_to_exist(inventory: InstantInventory) -> None:
    with pytest.raises(StorageNotFoundError, match="'tape'"):
        await place(inventory, PlacementRequest(storage="tape"))
    with pytest.raises(BridgeNotFoundError, match="'vmbr9'"):
        await place(inventory, network=NetworkRequest(bridge="vmbr9", is_restricted=False))
    with pytest.raises(HostNotFoundError, match="host 99"):
        await place(inventory, host_id=99)


async def test_users_get_no_network_and_no_address_that_is_not_for_them(inventory: InstantInventory) -> None:
    with pytest.raises(InvalidError, match="vmbr1"):
        await place(inventory, network=NetworkRequest(bridge="vmbr1"))
    with pytest.raises(InvalidError, match="gateway"):
        await place(inventory, network=NetworkRequest(cidr="10.0.0.1/24"))
    await inventory.parts.hosts.update_host(inventory.host.id, HostChanges(host="10.0.0.5", password="x"))
    with pytest.raises(AddressTakenError, match="address of a Proxmox host"):
        await place(inventory, network=NetworkRequest(cidr="10.0.0.5/24"))


async def test_the_chosen_address_is_reserved_for_the_owner(inventory: InstantInventory) -> None:
    await place(inventory, network=NetworkRequest(cidr="10.0.0.7/24"))
    assert await inventory.parts.addresses.list_holders(before=inventory.parts.addresses._clock()) == [
        (inventory.host.id, "shop")
    ]
