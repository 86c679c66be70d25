"""GetNodeMetrics: Proxmox's history of a node."""

from __future__ import annotations

import pytest
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.identity.tokens import Caller, User
from services.common.rpc.call import Call
from services.inventory.domain.errors import HostUnreachableError, NodeNotFoundError
from services.inventory.usecases.hosts import list_nodes, sync_nodes
from tests.fakes.inventory import InstantInventory, SilentHosts

CALL = Call("/x", {}, caller=Caller(user=User(1, "u1", is_staff=False)))


async def test_a_node_of_any_host_has_its_history(inventory: InstantInventory) -> None:
    parts, other = inventory.parts, await inventory.add_host("other")
    for host in (inventory.host, other):
        await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=host)
    api = parts.build_host_handlers()
    for simulated in inventory.proxmox.cluster.nodes.values():
        simulated.boot_time = 0
    for node in await list_nodes(parts.hosts):
        answer = await api.get_node_metrics(pb.GetNodeMetricsRequest(id=node.id), CALL)
        assert (answer.range, answer.interval_s) == ("hour", 60)
        assert answer.samples[-1].memory_total == node.memory_total
    assert (await api.get_node_metrics(pb.GetNodeMetricsRequest(id=1, range="week"), CALL)).range == "week"


async def test_unknown_and_silent_nodes_are_told_apart(inventory: InstantInventory) -> None:
    parts = inventory.parts
    api = parts.build_host_handlers()
    with pytest.raises(NodeNotFoundError, match="there is no node 99"):
        await api.get_node_metrics(pb.GetNodeMetricsRequest(id=99), CALL)
    await sync_nodes(parts.hosts, parts.fleet, access=parts.access, host=inventory.host)
    (first, *_) = await list_nodes(parts.hosts)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await api.get_node_metrics(pb.GetNodeMetricsRequest(id=first.id), CALL)
