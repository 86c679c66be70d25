"""UpdateNetworkSettings: a consistent network, or nothing changes."""

from __future__ import annotations

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.patches import NetworkChanges
from services.inventory.domain.user_networks import UserNetwork
from services.inventory.usecases.settings import get_network_settings, update_network_settings
from tests.fakes.inventory import InstantInventory

LAB = UserNetwork(bridge="vmbr1", vlan=20)


async def test_named_attributes_change_and_the_list_is_replaced_as_a_whole(
    inventory: InstantInventory,
) -> None:
    settings = inventory.parts.settings
    await update_network_settings(settings, changes=NetworkChanges(), user_networks=[LAB])
    changed = await update_network_settings(settings, changes=NetworkChanges(default_bridge="vmbr1"))
    assert (changed.network.default_bridge, changed.network.default_gateway) == ("vmbr1", "10.0.0.1")
    assert changed.user_networks == (LAB,), "None leaves the list as it is"
    assert (
        await update_network_settings(settings, changes=NetworkChanges(), user_networks=[])
    ).user_networks == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (NetworkChanges(default_gateway="192.0.2.1"), "default_gateway"),
        (NetworkChanges(default_subnet="10.0.0.0/33"), "default_subnet"),
        (NetworkChanges(default_dns_primary="dns.example"), "default_dns_primary"),
    ],
)
async def test_an_inconsistent_network_changes_nothing(
    inventory: InstantInventory, changes: NetworkChanges, field: str
) -> None:
    settings = inventory.parts.settings
    with pytest.raises(InvalidError) as refused:
        await update_network_settings(settings, changes=changes, user_networks=[LAB])
    assert refused.value.violations[0].field == field
    found = await get_network_settings(settings)
    assert (found.network.default_gateway, found.user_networks) == ("10.0.0.1", ())
