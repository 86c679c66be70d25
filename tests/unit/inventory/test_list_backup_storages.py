"""ListBackupStorages: the storages of a host by node, and what Proxmox's own retention on them allows."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.archives import list_backup_storages
from tests.fakes.inventory import InstantInventory, SilentHosts


async def test_each_node_shows_what_it_sees(inventory: InstantInventory) -> None:
    found = await list_backup_storages(inventory.parts.fleet, inventory.host.id)
    by_place = {(one.name, one.node): one for one in found}
    assert by_place["backup", "pve1"].shared
    assert by_place["backup", "pve2"].takes_backups
    assert not by_place["local-lvm", "pve1"].takes_backups
    assert all(one.available and one.total > one.used >= 0 for one in found)
    inventory.proxmox.cluster.nodes["pve2"].online = False
    found = await list_backup_storages(inventory.parts.fleet, inventory.host.id)
    assert {one.node for one in found if not one.available} == {"pve2"}


@pytest.mark.parametrize(
    ("retention", "limit"),
    [
        ("", 0),
        ("keep-last=3", 3),
        ("keep-last=3,keep-daily=7,keep-yearly=1", 11),
        ("keep-all=1", 0),
        ("keep-all=0,keep-weekly=4", 4),
    ],
)
async def test_the_limit_is_the_sum_of_the_storages_retention(
    inventory: InstantInventory, retention: str, limit: int
) -> None:
    inventory.proxmox.cluster.storages["backup"].prune = retention
    found = await list_backup_storages(inventory.parts.fleet, inventory.host.id)
    assert {one.max_archives for one in found if one.name == "backup"} == {limit}


async def test_a_storage_without_a_retention_has_that_of_each_node(inventory: InstantInventory) -> None:
    cluster = inventory.proxmox.cluster
    cluster.nodes["pve1"].prune, cluster.storages["local"].prune = "keep-last=2,keep-weekly=3", ""
    found = await list_backup_storages(inventory.parts.fleet, inventory.host.id)
    limits = {(one.name, one.node): one.max_archives for one in found}
    assert (limits["local", "pve1"], limits["local", "pve2"], limits["local-lvm", "pve1"]) == (5, 0, 0)
    cluster.storages["local"].prune = "keep-all=1"
    found = await list_backup_storages(inventory.parts.fleet, inventory.host.id)
    assert {one.max_archives for one in found if one.name == "local"} == {0}


async def test_a_host_that_is_unknown_or_silent_is_an_error(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError):
        await list_backup_storages(inventory.parts.fleet, 99)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await list_backup_storages(inventory.parts.fleet, inventory.host.id)
