"""ListCapacity: the nodes of all hosts with what they have and use, for other services."""

from __future__ import annotations

from services.inventory.convert.hosts import render_capacity
from services.inventory.usecases.hosts import list_capacity, sync_nodes
from tests.fakes.inventory import InstantInventory


async def test_nodes_of_all_hosts_are_listed_without_addresses(inventory: InstantInventory) -> None:
    parts = inventory.parts
    await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=inventory.host)
    nodes = await list_capacity(parts.hosts)
    assert [node.name for node in nodes] == ["pve1", "pve2", "pve3"]
    shown = render_capacity(nodes).nodes
    assert [(node.name, node.memory_total) for node in shown] == [(n.name, n.memory_total) for n in nodes]
    assert not any(node.HasField("ip_address") for node in shown)
