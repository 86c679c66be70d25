"""ListNodes: the nodes of a host, or of all, as they were read last."""

from __future__ import annotations

from services.inventory.usecases.hosts import list_nodes, sync_nodes
from tests.fakes.inventory import InstantInventory


async def test_nodes_are_listed_by_host(inventory: InstantInventory) -> None:
    parts, other = inventory.parts, await inventory.add_host("other")
    assert await list_nodes(parts.hosts) == []
    for host in (inventory.host, other):
        await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=host)
    found = await list_nodes(parts.hosts)
    assert [(node.host_name, node.name) for node in found] == [
        (host, f"pve{number}") for host in ("other", "pve") for number in (1, 2, 3)
    ]
    only = await list_nodes(parts.hosts, host_id=other.id)
    assert {node.host_name for node in only} == {"other"}
    assert await list_nodes(parts.hosts, host_id=99) == []
