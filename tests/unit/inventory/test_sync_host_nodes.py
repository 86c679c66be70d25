"""SyncHostNodes: the nodes of a host are read now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.jobs.node_sync import NodeSync
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


async def test_the_first_certificate_of_the_nodes_that_expires_is_recorded(
    inventory: InstantInventory,
) -> None:
    parts = inventory.parts
    soon, late = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    asked: list[tuple[str, int]] = []
    silent = ""
    for number, node in enumerate(inventory.proxmox.cluster.nodes.values()):
        node.address = f"192.0.2.{number}"
        silent = node.address

    async def read_expiry(address: str, port: int) -> datetime:
        asked.append((address, port))
        if address == silent:
            raise HostUnreachableError(f"{address} shows no certificate")
        return late if address == inventory.host.host else soon

    sync = NodeSync(parts.hosts, parts.fleet, access=parts.access, every_s=30, read_expiry=read_expiry)
    before = await parts.hosts.get_host(inventory.host.id)
    assert before.certificate_expires_at is None
    await sync.sync_due()
    host = await parts.hosts.get_host(inventory.host.id)
    assert host.certificate_expires_at == soon
    assert len(asked) == 4, "the host's address, and those of its nodes"
    assert host.updated_at == before.updated_at, "its settings are as they were"
    count = len(asked)
    sync.wake()
    await sync.sync_due()
    assert len(asked) == count, "once an hour"
