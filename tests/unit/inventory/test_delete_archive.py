"""DeleteArchive: an archive goes; one that is gone is done; a protected one stays."""

from __future__ import annotations

import pytest

from services.common.core.errors import UnavailableError
from services.inventory.domain.patches import ArchiveChanges
from services.inventory.usecases.archives import delete_archive, list_archives, update_archive
from tests.fakes.inventory import InstantInventory
from tests.unit.inventory.backed_up import back_up


async def test_one_archive_is_deleted_once_and_the_others_stay(inventory: InstantInventory) -> None:
    _, first = await back_up(inventory)
    _, second = await back_up(inventory, "blog", backup_id="8")
    fleet, host_id = inventory.parts.fleet, inventory.host.id
    task = await delete_archive(fleet, host_id, volume_id=first)
    assert (await inventory.finish(task)).succeeded
    assert [one.volume_id for one in (await list_archives(fleet, host_id))[0]] == [second]
    assert (await delete_archive(fleet, host_id, volume_id=first)).upid == ""


async def test_a_protected_archive_stays(inventory: InstantInventory) -> None:
    _, volume_id = await back_up(inventory)
    fleet, host_id = inventory.parts.fleet, inventory.host.id
    await update_archive(fleet, host_id, volume_id=volume_id, changes=ArchiveChanges(protected=True))
    ended = await inventory.finish(await delete_archive(fleet, host_id, volume_id=volume_id))
    assert (ended.succeeded, "protected" in ended.reason) == (False, True)
    assert [one.volume_id for one in (await list_archives(fleet, host_id))[0]] == [volume_id]


async def test_what_a_silent_storage_may_have_is_not_taken_for_gone(inventory: InstantInventory) -> None:
    inventory.proxmox.cluster.nodes["pve2"].online = False
    with pytest.raises(UnavailableError, match="not every storage"):
        await delete_archive(
            inventory.parts.fleet, inventory.host.id, volume_id="local:backup/vzdump-lxc-1-x.tar.zst"
        )
