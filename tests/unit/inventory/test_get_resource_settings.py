"""GetResourceSettings: the resources of deployments that name none."""

from __future__ import annotations

from services.inventory.domain.patches import DefaultResourceChanges
from services.inventory.usecases.settings import get_resource_settings, update_resource_settings
from tests.fakes.inventory import InstantInventory


async def test_the_defaults_hold_until_they_are_changed(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    found = (await get_resource_settings(settings)).resources
    assert vars(found) == {
        "default_cpu_cores": 2, "default_memory_mb": 2048, "default_disk_gb": 20, "default_swap_mb": 512,
    }  # fmt: skip
    changed = await update_resource_settings(settings, changes=DefaultResourceChanges(default_disk_gb=40))
    assert await get_resource_settings(settings) == changed
