"""ListNodes: the nodes of a host, or of all, as they were read last."""

from __future__ import annotations

from services.inventory.convert.hosts import render_node
from services.inventory.store.tables import nodes
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


async def test_what_guests_may_use_is_summed_for_each_node(inventory: InstantInventory) -> None:
    parts, cluster = inventory.parts, inventory.proxmox.cluster
    await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=inventory.host)
    guests = await (await parts.fleet.get_client(inventory.host.id)).get("/cluster/resources", type="vm")
    for node in await list_nodes(parts.hosts):
        own = [one for one in guests if one["node"] == node.name and not one.get("template")]
        assert node.allocated is not None
        assert node.allocated.cpus == sum(one["maxcpu"] for one in own)
        assert node.allocated.memory == sum(one["maxmem"] for one in own)
        assert node.allocated.disk == sum(one["maxdisk"] for one in own)
        assert render_node(node).allocated_memory == node.allocated.memory
    assert any(one.allocated and one.allocated.memory for one in await list_nodes(parts.hosts)), cluster.name


async def test_a_node_that_a_release_before_read_has_no_sums(inventory: InstantInventory) -> None:
    parts = inventory.parts
    await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=inventory.host)
    await parts.db.write(lambda connection: connection.execute(nodes.update().values(allocated="")))
    for node in await list_nodes(parts.hosts):
        assert node.allocated is None
        assert not render_node(node).HasField("allocated_cpus")
