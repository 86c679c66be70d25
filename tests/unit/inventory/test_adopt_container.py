"""AdoptContainer: marks on a container that nobody owns, and its id reserved."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import ContainerLockedError, NotOursError, VmidTakenError
from services.inventory.usecases.ownership import adopt_container
from tests.fakes.inventory import InstantInventory


async def adopt(
    inventory: InstantInventory, ref: ContainerRef, owner: str = "files", *, instead_of: str = ""
) -> None:
    await adopt_container(
        inventory.lookup, inventory.parts.networks, ref=ref, owner=owner, instead_of=instead_of
    )


async def test_a_container_of_nobody_gets_marks_and_its_id_is_reserved(inventory: InstantInventory) -> None:
    ref = ContainerRef(inventory.host.id, 103, "pve1")
    for _ in range(2):
        await adopt(inventory, ref)
    config = inventory.config(ref)
    assert (config["tags"], config["description"]) == ("proximity", "proximity-app: files")
    assert await inventory.parts.vmids.list_owners(inventory.host.id) == {103: "files"}


async def test_a_container_of_another_owner_is_refused(inventory: InstantInventory) -> None:
    ref = await inventory.create("blog")
    with pytest.raises(VmidTakenError, match="belongs to blog"):
        await adopt(inventory, ref)
    await inventory.parts.vmids.release_vmid(inventory.host.id, "blog")
    with pytest.raises(NotOursError, match="'blog'"):
        await adopt(inventory, ref)
    await adopt(inventory, ref, instead_of="blog")
    assert inventory.config(ref)["description"] == "proximity-app: files"


async def test_a_second_container_of_an_owner_and_a_locked_one_are_refused(
    inventory: InstantInventory,
) -> None:
    await adopt(inventory, ContainerRef(inventory.host.id, 103, "pve1"))
    with pytest.raises(VmidTakenError):
        await adopt(inventory, inventory.stranger)
    inventory.lock(inventory.stranger)
    with pytest.raises(ContainerLockedError):
        await adopt(inventory, inventory.stranger, "intranet")
    assert "tags" not in inventory.config(inventory.stranger)
