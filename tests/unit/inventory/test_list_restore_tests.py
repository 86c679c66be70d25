"""ListRestoreTests: the ids that are reserved for tests, and no others."""

from __future__ import annotations

from datetime import timedelta

from services.inventory.usecases.list_restore_tests import list_restore_tests
from services.inventory.usecases.placement import reserve_vmid
from tests.fakes.inventory import InstantInventory


async def test_only_ids_of_tests_are_listed_until_they_are_released(inventory: InstantInventory) -> None:
    vmids, fleet, host_id = inventory.parts.vmids, inventory.parts.fleet, inventory.host.id
    await inventory.create("restore-test-shop")  # an app whose name only looks like it
    vmid = await reserve_vmid(vmids, fleet, host_id=host_id, owner="restore-test:ab")
    [one] = await list_restore_tests(vmids)
    assert (one.host_id, one.vmid, one.owner) == (host_id, vmid, "restore-test:ab")
    assert 0 <= one.age_s < timedelta(minutes=5).total_seconds()
    await vmids.release_vmid(host_id, "restore-test:ab")
    assert await list_restore_tests(vmids) == []
