"""PushFile: a file in an owner's running container."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import ContainerStoppedError, NotOursError
from services.inventory.usecases.guests import push_file
from tests.fakes.inventory import InstantInventory


async def push(inventory: InstantInventory, ref: ContainerRef, owner: str = "shop") -> None:
    await push_file(
        inventory.lookup,
        inventory.parts.access,
        ref=ref,
        owner=owner,
        path="/opt/app/.env",
        content=b"A=1\n",
        mode=0o600,
    )


async def test_a_file_is_written_with_its_mode(inventory: InstantInventory) -> None:
    await push(inventory, await inventory.create(is_running=True))
    assert inventory.parts.access.files == {"/opt/app/.env": (b"A=1\n", 0o600)}


async def test_nothing_is_written_into_containers_of_others_or_stopped_ones(
    inventory: InstantInventory,
) -> None:
    ref = await inventory.create()
    with pytest.raises(ContainerStoppedError):
        await push(inventory, ref)
    await inventory.start(ref)
    with pytest.raises(NotOursError):
        await push(inventory, ref, "blog")
    with pytest.raises(NotOursError):
        await push(inventory, inventory.stranger)
    assert inventory.parts.access.files == {}
