"""ReleaseContainer: the marks come off without a trace, and the id is free."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.usecases.ownership import adopt_container, release_container
from tests.fakes.inventory import InstantInventory


async def test_tags_and_description_are_those_of_before(inventory: InstantInventory) -> None:
    ref = ContainerRef(inventory.host.id, 103, "pve1")
    inventory.config(ref).update(tags="files;old", description="of the office")
    before = dict(inventory.config(ref))
    await adopt_container(inventory.lookup, inventory.parts.networks, ref=ref, owner="files")
    assert inventory.config(ref)["tags"] != before["tags"]
    for _ in range(2):
        await release_container(inventory.lookup, ref, owner="files")
    assert inventory.config(ref) == before
    assert await inventory.parts.vmids.list_owners(inventory.host.id) == {}


async def test_of_a_container_that_is_gone_the_id_is_released(inventory: InstantInventory) -> None:
    await inventory.parts.vmids.reserve_vmid(inventory.host.id, "gone", taken=set())
    await release_container(inventory.lookup, ContainerRef(inventory.host.id, 9000, "pve1"), owner="gone")
    assert await inventory.parts.vmids.count() == 0


async def test_a_locked_container_and_one_of_others_keep_their_marks(inventory: InstantInventory) -> None:
    ref = await inventory.create("blog")
    with pytest.raises(NotOursError):
        await release_container(inventory.lookup, ref, owner="shop")
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await release_container(inventory.lookup, ref, owner="blog")
    assert await inventory.parts.vmids.list_owners(inventory.host.id) == {ref.vmid: "blog"}
    assert inventory.config(ref)["tags"] == "proximity"
