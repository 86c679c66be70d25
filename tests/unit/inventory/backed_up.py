"""Containers with archives."""

from __future__ import annotations

from services.inventory.domain.containers import ContainerRef
from services.inventory.usecases.backup_container import backup_container
from tests.fakes.inventory import InstantInventory


async def back_up(
    inventory: InstantInventory, owner: str = "shop", backup_id: str = "7"
) -> tuple[ContainerRef, str]:
    ref = await inventory.create(owner)
    task = await backup_container(
        inventory.lookup,
        ref,
        owner=owner,
        mode="snapshot",
        compression="zstd",
        storage="backup",
        notes="weekly",
        protected=False,
        backup_id=backup_id,
    )
    return ref, (await inventory.finish(task)).result
