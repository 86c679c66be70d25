"""ChooseBackupStorage: the storage that BackupContainer takes where none is named."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import NotOursError
from services.inventory.usecases.choose_backup_storage import choose_backup_storage
from tests.fakes.inventory import InstantInventory
from tests.unit.inventory.backed_up import back_up_container


async def test_the_storage_that_is_chosen_before_is_the_one_that_is_taken(
    inventory: InstantInventory,
) -> None:
    inventory.proxmox.cluster.storages["backup"].prune = "keep-last=1"
    ref = await inventory.create("shop")
    for number in range(2):
        chosen = await choose_backup_storage(inventory.lookup, ref, owner="shop")
        archive = await back_up_container(inventory, ref, storage="", protected=False, backup_id=str(number))
        assert archive.partition(":")[0] == chosen
    with pytest.raises(NotOursError):
        await choose_backup_storage(inventory.lookup, inventory.stranger, owner="shop")
