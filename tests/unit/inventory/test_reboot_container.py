"""RebootContainer: a running container of the owner is rebooted."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import ContainerLockedError, ContainerStoppedError, NotOursError
from services.inventory.usecases.power import reboot_container
from tests.fakes.inventory import InstantInventory


async def test_a_running_container_is_rebooted(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    task = await reboot_container(inventory.lookup, ref, owner="shop", timeout_s=5)
    assert "vzreboot" in task.upid
    assert (await inventory.finish(task)).succeeded
    assert inventory.is_running(ref)


async def test_a_stopped_a_locked_and_another_owners_container_are_refused(
    inventory: InstantInventory,
) -> None:
    ref = await inventory.create()
    with pytest.raises(ContainerStoppedError, match="does not run"):
        await reboot_container(inventory.lookup, ref, owner="shop")
    await inventory.start(ref)
    with pytest.raises(NotOursError):
        await reboot_container(inventory.lookup, ref, owner="blog")
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await reboot_container(inventory.lookup, ref, owner="shop")
