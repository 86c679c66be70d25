"""GetHost: one registered host."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError
from services.inventory.usecases.hosts import get_host
from tests.fakes.inventory import InstantInventory


async def test_the_named_host_is_returned(inventory: InstantInventory) -> None:
    other = await inventory.add_host("other")
    assert (await get_host(inventory.parts.hosts, other.id)).name == "other"
    assert (await get_host(inventory.parts.hosts, inventory.host.id)).name == "pve"


async def test_an_unknown_id_is_named(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError, match="no host 99"):
        await get_host(inventory.parts.hosts, 99)
