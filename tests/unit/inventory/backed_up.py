"""Containers with archives."""

from __future__ import annotations

from services.inventory.domain.containers import ContainerRef
from services.inventory.usecases.backup_container import backup_container
from tests.fakes.inventory import InstantInventory


async def back_up(
    inventory: InstantInventory, owner: str = "shop", *, backup_id: str = "7"
) -> tuple[ContainerRef, str]:
    """Make a container with an archive; returns both."""
    ref = await inventory.create(owner)
    return ref, await back_up_container(inventory, ref, owner=owner, notes="weekly", backup_id=backup_id)


async def back_up_container(
    inventory: InstantInventory,
    ref: ContainerRef,
    *,
    owner: str = "shop",
    storage: str = "backup",
    notes: str = "",
    protected: bool = False,
    backup_id: str = "7",
) -> str:
    """Make an archive of a container; returns its volume."""
    task = await backup_container(
        inventory.lookup,
        ref,
        owner=owner,
        mode="snapshot",
        compression="zstd",
        storage=storage,
        notes=notes,
        protected=protected,
        backup_id=backup_id,
    )
    ended = await inventory.finish(task)
    assert ended.succeeded, ended.reason
    return ended.result
