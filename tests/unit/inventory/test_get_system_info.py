"""GetSystemInfo: numbers of hosts, nodes and apps."""

from __future__ import annotations

from services.inventory.usecases.hosts import sync_nodes
from services.inventory.usecases.system import get_system_info
from tests.fakes.inventory import InstantInventory


async def test_hosts_nodes_and_apps_are_counted(inventory: InstantInventory) -> None:
    parts = inventory.parts
    empty = await get_system_info(parts.hosts, parts.vmids)
    assert (empty.host_count, empty.node_count, empty.app_count) == (1, 0, 0)
    await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=inventory.host)
    for owner in ("shop", "blog"):
        await inventory.create(owner)
    info = await get_system_info(parts.hosts, parts.vmids)
    assert (info.host_count, info.node_count, info.app_count) == (1, 3, 2)
