"""UpdateResourceSettings: named resources change, the others stay."""

from __future__ import annotations

import pytest

from services.inventory.usecases.settings import get_resource_settings, update_resource_settings
from tests.fakes.inventory import InstantInventory


async def test_named_resources_change_and_the_others_stay(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    first = await update_resource_settings(settings, changes={"default_cpu_cores": 4})
    second = await update_resource_settings(settings, changes={"default_memory_mb": 512})
    assert (second.resources.default_cpu_cores, second.resources.default_memory_mb) == (4, 512)
    assert second.resources.default_disk_gb == first.resources.default_disk_gb
    assert second.updated_at >= first.updated_at


async def test_a_resource_that_does_not_exist_changes_nothing(inventory: InstantInventory) -> None:
    settings = inventory.parts.settings
    with pytest.raises(TypeError, match="default_gpus"):
        await update_resource_settings(settings, changes={"default_cpu_cores": 4, "default_gpus": 1})
    assert (await get_resource_settings(settings)).resources.default_cpu_cores == 2
