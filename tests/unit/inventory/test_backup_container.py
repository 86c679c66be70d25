"""BackupContainer: on which storage the archive is made when none is named."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef
from tests.fakes.inventory import InstantInventory
from tests.unit.inventory.backed_up import back_up_container


async def back_up(
    inventory: InstantInventory, ref: ContainerRef, *, number: int, protected: bool = False
) -> str:
    archive = await back_up_container(inventory, ref, storage="", protected=protected, backup_id=str(number))
    return archive.partition(":")[0]


@pytest.mark.parametrize("of_node", [False, True])
async def test_a_storage_that_takes_no_more_archives_of_the_container_is_passed_over(
    inventory: InstantInventory, of_node: bool
) -> None:
    cluster = inventory.proxmox.cluster
    if of_node:
        # Of /etc/vzdump.conf: it counts where the storage has no retention, and `local` says keep-all here.
        cluster.nodes["pve1"].prune, cluster.storages["local"].prune = (
            "keep-last=1,keep-daily=1",
            "keep-all=1",
        )
    else:
        cluster.storages["backup"].prune = "keep-last=2"
    ref = await inventory.create("shop")
    # By free space it would be `backup` each time.
    assert [await back_up(inventory, ref, number=number) for number in range(4)] == [
        "backup",
        "backup",
        "local",
        "local",
    ]


async def test_the_limit_does_not_count_for_protected_archives(inventory: InstantInventory) -> None:
    inventory.proxmox.cluster.storages["backup"].prune = "keep-last=1"
    ref = await inventory.create("shop")
    assert [await back_up(inventory, ref, number=number, protected=True) for number in range(2)] == [
        "backup"
    ] * 2
    assert await back_up(inventory, ref, number=2) == "backup"


async def test_where_no_storage_takes_another_archive_the_limit_is_the_reason(
    inventory: InstantInventory,
) -> None:
    for storage in inventory.proxmox.cluster.storages.values():
        storage.prune = "keep-last=1"
    ref = await inventory.create("shop")
    assert [await back_up(inventory, ref, number=number) for number in range(2)] == ["backup", "local"]
    with pytest.raises(AssertionError, match="max backup limit of 1 enforced"):
        await back_up(inventory, ref, number=2)
