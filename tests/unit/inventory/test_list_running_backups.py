"""ListRunningBackups: the backups that run on a node, those of others included."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.tasks import list_running_backups
from tests.fakes.inventory import InstantInventory, SilentHosts


async def test_running_backups_are_listed_by_node(inventory: InstantInventory) -> None:
    ref, fleet = await inventory.create(), inventory.parts.fleet
    assert await list_running_backups(fleet, ref.host_id, node="pve1") == []
    inventory.proxmox.hold_tasks = True
    client = await fleet.get_client(ref.host_id)
    upid = await client.post("/nodes/pve1/vzdump", vmid=ref.vmid, storage="backup", mode="snapshot")
    [running] = await list_running_backups(fleet, ref.host_id, node="pve1")
    assert (running.upid, running.node, running.vmid) == (upid, "pve1", ref.vmid)
    assert running.user
    assert await list_running_backups(fleet, ref.host_id, node="pve2") == []
    inventory.proxmox.run_tasks()
    assert await list_running_backups(fleet, ref.host_id, node="pve1") == []


async def test_a_host_that_is_unknown_or_silent_is_an_error(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError):
        await list_running_backups(inventory.parts.fleet, 99, node="pve1")
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await list_running_backups(inventory.parts.fleet, inventory.host.id, node="pve1")
