"""GetContainerMetrics and GetNodeMetrics: measurements over time, from Proxmox's own history."""

from __future__ import annotations

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import NodeNotFoundError
from services.inventory.domain.interfaces import HostStore, ProxmoxFleet
from services.inventory.domain.metrics import MeasuredHistory
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.metrics import read_history

_TIMEOUT_S = 8.0  # a person waits; a host that is up answers in some 10 ms


async def get_container_metrics(
    hosts: HostStore, containers: ContainerLookup, *, ref: ContainerRef, owner: str, timeframe: str
) -> MeasuredHistory:
    """Return the measurements of an owner's container.

    Raises:
        ContainerNotFoundError: the host answers and has none.
        NotOursError: it does not carry the owner's marks.
        HostUnreachableError: the host does not answer within 8 seconds.
    """
    host = await hosts.get_host(ref.host_id)
    async with isolate_host(host, timeout_s=_TIMEOUT_S):
        view = await containers.get_owned(ref, owner, with_tasks=False)
        return await read_history(view.client, view.path, timeframe=timeframe)


async def get_node_metrics(
    hosts: HostStore, fleet: ProxmoxFleet, *, node_id: int, timeframe: str
) -> MeasuredHistory:
    """Return the measurements of a node.

    Raises:
        NodeNotFoundError: there is no such node.
        HostUnreachableError: its host does not answer within 8 seconds.
    """
    node = next((one for one in await hosts.list_nodes() if one.id == node_id), None)
    if node is None:
        raise NodeNotFoundError(f"there is no node {node_id}; GET /api/proxmox/nodes lists them")
    host = await hosts.get_host(node.host_id)
    async with isolate_host(host, timeout_s=_TIMEOUT_S):
        client = await fleet.get_client_of(host)
        return await read_history(client, f"/nodes/{node.name}", timeframe=timeframe)
