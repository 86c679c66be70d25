"""UpdateArchive: notes and protection change, and the mark stays."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import ArchiveNotFoundError
from services.inventory.domain.patches import ArchiveChanges
from services.inventory.usecases.archives import list_archives, update_archive
from tests.fakes.inventory import InstantInventory
from tests.unit.inventory.backed_up import back_up


async def test_named_attributes_change_and_the_mark_stays_first(inventory: InstantInventory) -> None:
    _, volume_id = await back_up(inventory)
    fleet, host_id = inventory.parts.fleet, inventory.host.id
    await update_archive(fleet, host_id, volume_id=volume_id, changes=ArchiveChanges(protected=True))
    [one], _ = await list_archives(fleet, host_id)
    assert (one.protected, one.notes.splitlines()[0]) == (True, "proximity-backup: 7")
    await update_archive(fleet, host_id, volume_id=volume_id, changes=ArchiveChanges(notes="before the move"))
    [one], _ = await list_archives(fleet, host_id)
    assert one.protected, "what is not named stays"
    stored = next(each for each in inventory.proxmox.cluster.volumes.values() if each.content == "backup")
    assert stored.notes == "proximity-backup: 7\nbefore the move"


async def test_an_archive_that_is_not_there_is_named(inventory: InstantInventory) -> None:
    with pytest.raises(ArchiveNotFoundError, match="vzdump-lxc-1"):
        await update_archive(
            inventory.parts.fleet,
            inventory.host.id,
            volume_id="backup:backup/vzdump-lxc-1-x.tar.zst",
            changes=ArchiveChanges(notes=""),
        )
