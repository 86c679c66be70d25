"""ListHosts: all registered hosts, without their secrets."""

from __future__ import annotations

from services.inventory.domain.patches import HostChanges
from services.inventory.usecases.hosts import list_hosts
from tests.fakes.inventory import InstantInventory


async def test_the_default_host_is_first_and_the_others_follow_by_name(inventory: InstantInventory) -> None:
    for name in ("b", "a"):
        await inventory.add_host(name)
    found = await list_hosts(inventory.parts.hosts)
    assert [(host.name, host.is_default) for host in found] == [("pve", True), ("a", False), ("b", False)]
    assert not {"password", "token_secret", "ssh_key"} & set(vars(found[0]))


async def test_inactive_hosts_are_listed_too(inventory: InstantInventory) -> None:
    await inventory.parts.hosts.update_host(inventory.host.id, HostChanges(is_active=False))
    assert [host.is_active for host in await list_hosts(inventory.parts.hosts)] == [False]
