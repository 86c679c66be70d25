"""DeleteHost: a host without apps goes, with the connections to it."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostInUseError, HostNotFoundError
from services.inventory.usecases.hosts import delete_host
from tests.fakes.inventory import InstantInventory


async def test_a_host_goes_and_the_next_one_becomes_the_default(inventory: InstantInventory) -> None:
    other = await inventory.add_host("other")
    await delete_host(inventory.parts.hosts, inventory.parts.fleet, host_id=inventory.host.id)
    assert [(host.id, host.is_default) for host in await inventory.parts.hosts.list_hosts()] == [
        (other.id, True)
    ]
    with pytest.raises(HostNotFoundError):
        await inventory.parts.fleet.get_client(inventory.host.id)


async def test_a_host_with_apps_and_one_that_is_unknown_are_refused(inventory: InstantInventory) -> None:
    await inventory.create()
    with pytest.raises(HostInUseError, match="1 apps live on 'pve'"):
        await delete_host(inventory.parts.hosts, inventory.parts.fleet, host_id=inventory.host.id)
    with pytest.raises(HostNotFoundError):
        await delete_host(inventory.parts.hosts, inventory.parts.fleet, host_id=99)
    assert await inventory.parts.hosts.list_hosts() == [inventory.host]
