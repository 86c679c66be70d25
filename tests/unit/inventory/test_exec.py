"""Exec: a command in an owner's running container."""

from __future__ import annotations

import pytest

from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import ContainerStoppedError, NotOursError
from services.inventory.usecases import guests
from tests.fakes.inventory import InstantInventory


async def run(inventory: InstantInventory, ref: ContainerRef, owner: str = "shop") -> list[str | int]:
    pieces = guests.exec(inventory.lookup, inventory.parts.access, ref=ref, owner=owner, argv=["uptime"])
    return [piece async for piece in pieces]


async def test_pieces_of_output_come_before_the_exit_code(inventory: InstantInventory) -> None:
    inventory.parts.access.outputs = {"uptime": "up 3 days\n"}
    ref = await inventory.create(is_running=True)
    assert await run(inventory, ref) == ["up 3 days\n", 0]


async def test_nothing_runs_in_containers_of_others_or_in_stopped_ones(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    with pytest.raises(ContainerStoppedError, match="start it first"):
        await run(inventory, ref)
    await inventory.start(ref)
    with pytest.raises(NotOursError):
        await run(inventory, ref, "blog")
    with pytest.raises(NotOursError):
        await run(inventory, inventory.stranger)
    with pytest.raises(ContainerNotFoundError):
        await run(inventory, ContainerRef(inventory.host.id, 9999))
