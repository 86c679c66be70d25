"""GetNetworkSettings: the default network, and those that users may choose besides."""

from __future__ import annotations

from services.inventory.domain.patches import NetworkChanges
from services.inventory.domain.user_networks import UserNetwork
from services.inventory.usecases.settings import get_network_settings, update_network_settings
from tests.fakes.inventory import InstantInventory


async def test_the_default_network_comes_with_those_of_users(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    found = await get_network_settings(settings)
    assert (found.network.default_subnet, found.user_networks) == ("10.0.0.0/24", ())
    lab = UserNetwork(bridge="vmbr1", vlan=20, subnet="10.20.0.0/24", gateway="10.20.0.1")
    await update_network_settings(settings, changes=NetworkChanges(), user_networks=[lab])
    assert (await get_network_settings(settings)).user_networks == (lab,)
