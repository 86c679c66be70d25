"""ListContainerTasks: what runs on a container, or all that Proxmox knows of it."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.tasks import list_container_tasks
from tests.fakes.inventory import InstantInventory, SilentHosts


async def test_running_tasks_are_listed_and_ended_ones_on_request(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    fleet = inventory.parts.fleet
    assert await list_container_tasks(fleet, ref, include_finished=False) == []
    inventory.proxmox.hold_tasks = True
    client = await fleet.get_client(ref.host_id)
    upid = await client.post(f"/nodes/pve1/lxc/{ref.vmid}/status/start")
    for place in (ref, ContainerRef(ref.host_id, ref.vmid)):  # the node is found where it is not named
        [task] = await list_container_tasks(fleet, place, include_finished=False)
        assert (task.upid, task.type, task.node, task.is_running) == (upid, "vzstart", "pve1", True)
    inventory.proxmox.run_tasks()
    known = await list_container_tasks(fleet, ref, include_finished=True)
    assert {(one.type, one.is_running, one.exit_status) for one in known} == {
        ("vzcreate", False, "OK"),
        ("vzstart", False, "OK"),
    }


async def test_a_container_that_is_not_there_has_none(inventory: InstantInventory) -> None:
    gone = ContainerRef(inventory.host.id, 9999)
    assert await list_container_tasks(inventory.parts.fleet, gone, include_finished=True) == []


async def test_a_host_that_is_unknown_or_silent_is_an_error(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError):
        await list_container_tasks(inventory.parts.fleet, ContainerRef(99, 101), include_finished=False)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await list_container_tasks(inventory.parts.fleet, inventory.stranger, include_finished=False)
