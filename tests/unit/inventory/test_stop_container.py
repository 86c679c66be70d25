"""StopContainer: an owner's container is shut down; a stopped one is left alone."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.usecases.power import stop_container
from tests.fakes.inventory import InstantInventory


async def test_a_running_container_is_shut_down_once(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    task = await stop_container(inventory.lookup, ref, owner="shop", timeout_s=5)
    assert (await inventory.finish(task)).succeeded
    assert not inventory.is_running(ref)
    assert (await stop_container(inventory.lookup, ref, owner="shop")).upid == ""


async def test_containers_of_others_run_on(inventory: InstantInventory) -> None:
    ref = await inventory.create("blog", is_running=True)
    for place in (ref, inventory.stranger):
        with pytest.raises(NotOursError):
            await stop_container(inventory.lookup, place, owner="shop")
        assert inventory.is_running(place)
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await stop_container(inventory.lookup, ref, owner="blog")


async def test_a_container_that_is_being_started_is_stopped_later(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    inventory.proxmox.hold_tasks = True
    client = await inventory.parts.fleet.get_client(ref.host_id)
    await client.post(f"/nodes/pve1/lxc/{ref.vmid}/status/start")
    with pytest.raises(ContainerLockedError, match="is being started"):
        await stop_container(inventory.lookup, ref, owner="shop")
