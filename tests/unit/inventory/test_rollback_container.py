"""RollbackContainer: a container is as a snapshot has it."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.usecases.snapshots import rollback_container, snapshot_container
from tests.fakes.inventory import InstantInventory


async def take(inventory: InstantInventory, ref: ContainerRef, name: str, owner: str = "shop") -> ProxmoxTask:
    return await snapshot_container(inventory.lookup, ref, owner=owner, name=name)


async def test_the_configuration_is_that_of_the_snapshot(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    await take(inventory, ref, "before")
    inventory.config(ref)["memory"] = 4096
    task = await rollback_container(inventory.lookup, ref, owner="shop", name="before")
    assert (await inventory.finish(task)).succeeded
    assert inventory.config(ref)["memory"] == 512


async def test_others_locks_and_unknown_snapshots_refuse_it(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    await take(inventory, ref, "before")
    inventory.config(ref)["memory"] = 4096
    with pytest.raises(NotOursError):
        await rollback_container(inventory.lookup, ref, owner="blog", name="before")
    ended = await inventory.finish(
        await rollback_container(inventory.lookup, ref, owner="shop", name="never")
    )
    assert (ended.succeeded, "never" in ended.reason) == (False, True)
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await rollback_container(inventory.lookup, ref, owner="shop", name="before")
    assert inventory.config(ref)["memory"] == 4096
