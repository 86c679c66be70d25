"""ListStorages: what can be chosen as the place of disks and archives."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.storages import list_storages
from tests.fakes.inventory import InstantInventory, SilentHosts


async def test_storages_are_listed_by_host_name_and_node(inventory: InstantInventory) -> None:
    parts = inventory.parts
    await inventory.add_host("other")
    found = await list_storages(parts.hosts, parts.fleet)
    places = [(host.name, one.name, one.node) for host, one in found]
    assert places == sorted(places)
    assert {host for host, _, _ in places} == {"other", "pve"}
    simulated = inventory.proxmox.cluster.storages
    for _, one in found:
        assert (one.type, one.shared) == (simulated[one.name].type, simulated[one.name].shared)
        assert one.total >= one.used >= 0


async def test_only_those_that_take_the_content_are_listed(inventory: InstantInventory) -> None:
    parts = inventory.parts
    for content in ("rootdir", "backup", "vztmpl"):
        found = await list_storages(parts.hosts, parts.fleet, host_id=inventory.host.id, content=content)
        names = {one.name for _, one in found}
        assert names == {n for n, one in inventory.proxmox.cluster.storages.items() if content in one.content}
        assert all(content in one.content for _, one in found)


async def test_silent_hosts_are_left_out_unless_they_are_named(inventory: InstantInventory) -> None:
    parts, other = inventory.parts, await inventory.add_host("other")
    inventory.proxmox.outage = SilentHosts("other")
    assert {host.name for host, _ in await list_storages(parts.hosts, parts.fleet)} == {"pve"}
    with pytest.raises(HostUnreachableError):
        await list_storages(parts.hosts, parts.fleet, host_id=other.id)
    with pytest.raises(HostNotFoundError):
        await list_storages(parts.hosts, parts.fleet, host_id=99)
