"""ListNetworks: what users may choose, the default network first."""

from __future__ import annotations

from services.inventory.domain.patches import NetworkChanges
from services.inventory.domain.user_networks import UserNetwork
from services.inventory.usecases.settings import list_networks, update_network_settings
from tests.fakes.inventory import InstantInventory


async def test_the_default_network_is_first_and_listed_once(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    default = UserNetwork(bridge="vmbr0", subnet="10.0.0.0/24", gateway="10.0.0.1")
    assert await list_networks(settings) == [default]
    lab = UserNetwork(bridge="vmbr1", vlan=20)
    await update_network_settings(settings, changes=NetworkChanges(), user_networks=[lab, default])
    assert await list_networks(settings) == [default, lab]
