"""StopTask: a task is interrupted; one that has ended or is unknown is left alone."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.usecases.tasks import stop_task
from tests.fakes.inventory import InstantInventory, SilentHosts


async def test_a_running_task_is_interrupted(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    fleet = inventory.parts.fleet
    inventory.proxmox.hold_tasks = True
    client = await fleet.get_client(ref.host_id)
    upid = await client.post(f"/nodes/pve1/lxc/{ref.vmid}/status/start")
    for _ in range(2):
        await stop_task(fleet, inventory.host.id, node="pve1", upid=upid)
        inventory.proxmox.run_tasks()
    assert inventory.proxmox.cluster.tasks[upid].exitstatus != "OK"
    assert not inventory.is_running(ref)


async def test_there_is_nothing_to_stop_without_a_task(inventory: InstantInventory) -> None:
    await inventory.create(is_running=True)
    before = {upid: task.exitstatus for upid, task in inventory.proxmox.cluster.tasks.items()}
    unknown = "UPID:pve1:00001234:00005678:66666666:vzstart:9999:root@pam:"
    for upid in ("", unknown):
        await stop_task(inventory.parts.fleet, inventory.host.id, node="pve1", upid=upid)
    assert {upid: task.exitstatus for upid, task in inventory.proxmox.cluster.tasks.items()} == before


async def test_a_host_that_is_unknown_or_silent_is_an_error(inventory: InstantInventory) -> None:
    upid = "UPID:pve1:00001234:00005678:66666666:vzstart:9999:root@pam:"
    with pytest.raises(HostNotFoundError):
        await stop_task(inventory.parts.fleet, 99, node="pve1", upid=upid)
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await stop_task(inventory.parts.fleet, inventory.host.id, node="pve1", upid=upid)
