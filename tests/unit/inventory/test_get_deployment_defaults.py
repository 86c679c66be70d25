"""GetDeploymentDefaults: what a deployment gets that names nothing."""

from __future__ import annotations

from services.inventory.domain.patches import DefaultResourceChanges, NetworkChanges
from services.inventory.usecases.settings import (
    get_deployment_defaults,
    update_network_settings,
    update_resource_settings,
)
from tests.fakes.inventory import InstantInventory


async def test_resources_and_network_are_those_of_the_settings(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    resources, network = await get_deployment_defaults(settings)
    assert (resources.resources.default_memory_mb, network.network.default_bridge) == (2048, "vmbr0")
    await update_resource_settings(settings, changes=DefaultResourceChanges(default_memory_mb=4096))
    await update_network_settings(settings, changes=NetworkChanges(default_bridge="vmbr1"))
    resources, network = await get_deployment_defaults(settings)
    assert (resources.resources.default_memory_mb, network.network.default_bridge) == (4096, "vmbr1")
