"""StartContainer: an owner's container runs; one that runs is left alone."""

from __future__ import annotations

import pytest

from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.usecases.power import start_container
from tests.fakes.inventory import InstantInventory


async def start(inventory: InstantInventory, ref: ContainerRef, owner: str = "shop") -> ProxmoxTask:
    return await start_container(inventory.lookup, ref, owner=owner, networks=inventory.parts.networks)


async def test_a_container_is_started_once(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    assert (await inventory.finish(await start(inventory, ref))).succeeded
    assert inventory.is_running(ref)
    assert (await start(inventory, ref)).upid == ""


async def test_a_start_under_way_is_followed_and_not_repeated(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    inventory.proxmox.hold_tasks = True
    first = await start(inventory, ref)
    assert await start(inventory, ref) == first


async def test_containers_of_others_and_locked_ones_are_refused(inventory: InstantInventory) -> None:
    ref = await inventory.create("blog")
    with pytest.raises(NotOursError, match="'blog'"):
        await start(inventory, ref)
    with pytest.raises(NotOursError, match="101"):
        await start(inventory, inventory.stranger)
    with pytest.raises(ContainerNotFoundError, match="9999"):
        await start(inventory, ContainerRef(inventory.host.id, 9999, "pve1"))
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError, match="backup"):
        await start(inventory, ref, "blog")
    assert not inventory.is_running(ref)
