"""UpdateHost: named attributes change; stored secrets go to no other address."""

from __future__ import annotations

from typing import Any

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.errors import HostDuplicateError, HostNotFoundError
from services.inventory.domain.patches import HostChanges
from services.inventory.usecases.hosts import update_host
from tests.fakes.inventory import CountingSync, InstantInventory


async def update(inventory: InstantInventory, host_id: int, **changes: Any) -> CountingSync:
    sync = CountingSync()
    await update_host(inventory.parts.hosts, sync, host_id=host_id, changes=HostChanges(**changes))
    return sync


async def test_named_attributes_change_and_the_nodes_are_read(inventory: InstantInventory) -> None:
    sync = await update(inventory, inventory.host.id, name="new", host="192.0.2.9", password="y")
    host = await inventory.parts.hosts.get_host(inventory.host.id)
    assert (host.name, host.host, host.user, sync.wakes) == ("new", "192.0.2.9", "root@pam", 1)


async def test_a_default_host_stays_it_until_another_one_becomes_it(inventory: InstantInventory) -> None:
    other = await inventory.add_host("other")
    await update(inventory, inventory.host.id, is_default=False)
    assert (await inventory.parts.hosts.get_host(inventory.host.id)).is_default
    await update(inventory, other.id, is_default=True)
    assert not (await inventory.parts.hosts.get_host(inventory.host.id)).is_default


async def test_refusals_name_the_field_and_change_nothing(inventory: InstantInventory) -> None:
    other = await inventory.add_host("other")
    with pytest.raises(HostNotFoundError, match="99"):
        await update(inventory, 99, name="new")
    with pytest.raises(HostDuplicateError, match="'pve'"):
        await update(inventory, other.id, name="pve")
    with pytest.raises(InvalidError, match="password: is required again"):
        await update(inventory, other.id, host="192.0.2.9")
    with pytest.raises(InvalidError, match="neither a host name nor an IP address"):
        await update(inventory, other.id, host="no name", password="x")
    assert await inventory.parts.hosts.get_host(other.id) == other
