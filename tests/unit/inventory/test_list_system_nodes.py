"""ListSystemNodes: the nodes of all hosts, without their addresses."""

from __future__ import annotations

from google.protobuf import empty_pb2

from services.common.rpc.call import Call
from services.inventory.usecases.hosts import list_system_nodes, sync_nodes
from tests.fakes.inventory import InstantInventory, build_system_handlers


async def test_nodes_of_all_hosts_are_listed_without_addresses(inventory: InstantInventory) -> None:
    parts = inventory.parts
    await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=inventory.host)
    assert [node.name for node in await list_system_nodes(parts.hosts)] == ["pve1", "pve2", "pve3"]
    handlers = build_system_handlers(parts)
    shown = [node async for node in handlers.list_system_nodes(empty_pb2.Empty(), Call("/test", {}))]
    assert [node.name for node in shown] == ["pve1", "pve2", "pve3"]
    assert all(node.ip_address for node in await parts.hosts.list_nodes()), "they are known"
    assert not any(node.HasField("ip_address") for node in shown)
