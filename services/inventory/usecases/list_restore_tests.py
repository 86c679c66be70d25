"""ListRestoreTests."""

from __future__ import annotations

from services.common.core.clock import now
from services.inventory.domain.interfaces import VmidStore
from services.inventory.domain.restore_tests import TEST_PREFIX, ReservedId


async def list_restore_tests(vmids: VmidStore) -> list[ReservedId]:
    """List the container ids that are reserved for restore tests, oldest first.

    Ids are reserved before their container is made and released after it is destroyed, so every test container of this
    platform is among them, and none of another one.
    """
    current = now()
    found = [
        ReservedId(host_id, vmid, owner, max(0, int((current - since).total_seconds())))
        for host_id, vmid, owner, since in await vmids.list_reserved(TEST_PREFIX)
    ]
    return sorted(found, key=lambda one: -one.age_s)
