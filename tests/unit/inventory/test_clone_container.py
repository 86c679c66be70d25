"""CloneContainer: a copy under the target's id with the target's marks."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import (
    ContainerLockedError,
    ContainerRunningError,
    NotOursError,
    VmidTakenError,
)
from services.inventory.usecases.clone_container import clone_container
from tests.fakes.inventory import InstantInventory


async def clone(inventory: InstantInventory, source: ContainerRef, *, owner: str = "shop") -> ProxmoxTask:
    target = ContainerRef(inventory.host.id, 9001, "pve1")
    return await clone_container(
        inventory.lookup, source, source_owner=owner, target=target, target_owner="copy", hostname="copy"
    )


async def test_a_stopped_container_is_copied_once(inventory: InstantInventory) -> None:
    source = await inventory.create()
    await inventory.parts.vmids.reserve_vmid(inventory.host.id, "copy", taken={source.vmid})
    assert (await inventory.finish(await clone(inventory, source))).succeeded
    copy = inventory.config(ContainerRef(inventory.host.id, 9001))
    assert (copy["hostname"], copy["description"], copy["tags"]) == (
        "copy", "proximity-app: copy", "proximity",
    )  # fmt: skip
    assert await inventory.parts.vmids.is_copy(inventory.host.id, "copy")
    assert (await clone(inventory, source)).upid == ""


async def test_a_source_of_others_and_a_target_that_is_not_reserved_are_refused(
    inventory: InstantInventory,
) -> None:
    source = await inventory.create()
    with pytest.raises(NotOursError):
        await clone(inventory, source, owner="blog")
    with pytest.raises(VmidTakenError, match="9001 is not reserved for copy"):
        await clone(inventory, source)
    await inventory.parts.vmids.reserve_vmid(inventory.host.id, "copy", taken={source.vmid})
    inventory.lock(source)
    with pytest.raises(ContainerLockedError):
        await clone(inventory, source)
    assert 9001 not in inventory.proxmox.cluster.containers


async def test_a_running_container_needs_a_storage_with_snapshots(inventory: InstantInventory) -> None:
    source = await inventory.create(storage="local", is_running=True)
    await inventory.parts.vmids.reserve_vmid(inventory.host.id, "copy", taken={source.vmid})
    with pytest.raises(ContainerRunningError, match="without snapshots"):
        await clone(inventory, source)
