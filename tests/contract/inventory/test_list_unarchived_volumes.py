"""ListUnarchivedVolumes: what a backup leaves out, and what a restore would destroy."""

from __future__ import annotations

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import (
    ArchiveNotFoundError,
    NotOursError,
)
from tests.contract.inventory.archives import (
    add_tank,
    back_up,
    read_config,
    set_config,
)
from tests.contract.inventory.conftest import Inventory, new_call


async def test_a_detached_volume_is_in_no_backup_and_is_lost_in_a_restore(inventory: Inventory) -> None:
    add_tank(inventory)
    ref = await inventory.create("detached", storage="local")
    await set_config(inventory, ref, mp0="tank:3,mp=/srv/mail,backup=1")
    archive = await back_up(inventory, ref, "detached")
    volume = (await read_config(inventory, ref))["mp0"].partition(",")[0]
    inventory.sim.client.control("PATCH", f"/containers/{ref.vmid}", {"mp0": None, "unused0": volume})
    request = cs.ListUnarchivedVolumesRequest(container=ref, owner="detached")
    assert not (await inventory.containers.list_unarchived_volumes(request, new_call())).volumes
    request.archive = archive
    [found] = (await inventory.containers.list_unarchived_volumes(request, new_call())).volumes
    assert (found.key, found.path, found.storage, found.description) == (
        "unused0",
        "",
        "tank",
        f"unused0 ({volume})",
    )


async def test_only_the_owner_asks_and_only_for_an_archive_that_is_there(inventory: Inventory) -> None:
    ref = await inventory.create("asked")
    with pytest.raises(NotOursError):
        await inventory.containers.list_unarchived_volumes(
            cs.ListUnarchivedVolumesRequest(container=ref, owner="other"), new_call()
        )
    gone = cs.ListUnarchivedVolumesRequest(
        container=ref, owner="asked", archive="backup:backup/vzdump-lxc-1-2026_01_02-03_04_05.tar.zst"
    )
    with pytest.raises(ArchiveNotFoundError):
        await inventory.containers.list_unarchived_volumes(gone, new_call())
