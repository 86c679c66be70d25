"""SyncHostNodes: the nodes of a host are read now."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.hosts import sync_host_nodes
from tests.fakes.inventory import InstantInventory, SilentHosts


async def sync(inventory: InstantInventory, host_id: int = 0) -> int:
    parts = inventory.parts
    return await sync_host_nodes(
        parts.hosts, parts.fleet, access=parts.access, host_id=host_id or inventory.host.id
    )


async def test_nodes_version_and_access_are_recorded(inventory: InstantInventory) -> None:
    assert await sync(inventory) == 3
    host = await inventory.parts.hosts.get_host(inventory.host.id)
    assert (host.status, host.exec_mode, host.last_error) == ("online", "ssh", "")
    assert host.version == inventory.proxmox.cluster.version
    nodes = await inventory.parts.hosts.list_nodes(inventory.host.id)
    assert [(node.name, node.status, node.lxc_count) for node in nodes] == [
        ("pve1", "online", 2),
        ("pve2", "online", 0),
        ("pve3", "online", 1),
    ]


async def test_silence_is_recorded_and_refused(inventory: InstantInventory) -> None:
    await sync(inventory)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await sync(inventory)
    host = await inventory.parts.hosts.get_host(inventory.host.id)
    assert (host.status, "does not answer" in host.last_error) == ("offline", True)
    nodes = await inventory.parts.hosts.list_nodes()
    assert {node.status for node in nodes} == {"unknown"}
    with pytest.raises(HostNotFoundError):
        await sync(inventory, 99)
