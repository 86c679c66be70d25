"""UpdateResourceSettings: named resources change, the others stay."""

from __future__ import annotations

from services.inventory.domain.patches import DefaultResourceChanges
from services.inventory.usecases.settings import get_resource_settings, update_resource_settings
from tests.fakes.inventory import InstantInventory


async def test_named_resources_change_and_the_others_stay(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    first = await update_resource_settings(settings, changes=DefaultResourceChanges(default_cpu_cores=4))
    second = await update_resource_settings(settings, changes=DefaultResourceChanges(default_memory_mb=512))
    assert (second.resources.default_cpu_cores, second.resources.default_memory_mb) == (4, 512)
    assert second.resources.default_disk_gb == first.resources.default_disk_gb
    assert second.updated_at >= first.updated_at


async def test_a_request_that_names_no_resource_changes_none(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    before = await get_resource_settings(settings)
    changed = await update_resource_settings(settings, changes=DefaultResourceChanges())
    assert changed.resources == before.resources
