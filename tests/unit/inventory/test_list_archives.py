"""ListArchives: the archives of a container, or of all, and whether every storage answered."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.archives import delete_archive, list_archives
from tests.fakes.inventory import InstantInventory, SilentHosts
from tests.unit.inventory.backed_up import back_up


async def test_archives_are_listed_by_container_and_storage(inventory: InstantInventory) -> None:
    shop, first = await back_up(inventory)
    _, second = await back_up(inventory, "blog", backup_id="8")
    fleet, host_id = inventory.parts.fleet, inventory.host.id
    found, complete = await list_archives(fleet, host_id)
    assert ({one.volume_id for one in found}, complete) == ({first, second}, True)
    [one], _ = await list_archives(fleet, host_id, vmid=shop.vmid, storage="backup")
    assert (one.volume_id, one.vmid, one.storage, one.protected) == (first, shop.vmid, "backup", False)
    assert one.notes.splitlines()[0] == "proximity-backup: 7"
    assert await list_archives(fleet, host_id, vmid=shop.vmid, storage="local") == ([], True)


async def test_a_storage_that_does_not_answer_makes_the_list_incomplete(inventory: InstantInventory) -> None:
    await back_up(inventory)
    inventory.proxmox.cluster.nodes["pve2"].online = False
    _, complete = await list_archives(inventory.parts.fleet, inventory.host.id)
    assert not complete, "local storages of a node that is down may have archives"


async def test_a_host_that_is_unknown_or_silent_is_an_error(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError):
        await list_archives(inventory.parts.fleet, 99)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await list_archives(inventory.parts.fleet, inventory.host.id)


async def test_the_verification_of_a_backup_server_is_read(inventory: InstantInventory) -> None:
    shop, volume_id = await back_up(inventory)
    [volume] = [one for one in inventory.proxmox.cluster.volumes.values() if one.volid == volume_id]
    for state, encrypted in (("", ""), ("ok", ""), ("failed", "01:02"), ("later", "")):
        volume.verification, volume.encrypted = state, encrypted
        [one], _ = await list_archives(inventory.parts.fleet, inventory.host.id, vmid=shop.vmid)
        assert one.verification == (state if state != "later" else "")
        assert one.encrypted is bool(encrypted)


async def test_a_disabled_storage_may_have_what_it_does_not_list(inventory: InstantInventory) -> None:
    _, volume_id = await back_up(inventory)
    fleet, host_id = inventory.parts.fleet, inventory.host.id
    inventory.proxmox.cluster.storages["backup"].enabled = False
    assert await list_archives(fleet, host_id, storage="backup") == ([], False)
    assert await list_archives(fleet, host_id, storage="removed") == ([], True)
    # The archive is not taken for one that was deleted already.
    with pytest.raises(HostUnreachableError, match="not every storage"):
        await delete_archive(fleet, host_id, volume_id=volume_id)
    inventory.proxmox.cluster.storages["backup"].enabled = True
    found, complete = await list_archives(fleet, host_id, storage="backup")
    assert ([one.volume_id for one in found], complete) == ([volume_id], True)
