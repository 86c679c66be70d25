"""ListContainers: the containers of hosts with their owners, and how each scan went."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import HostNotFoundError
from services.inventory.domain.patches import HostChanges
from services.inventory.usecases.containers import list_containers
from tests.fakes.inventory import InstantInventory, SilentHosts


async def test_every_container_of_a_host_is_listed_with_its_owner(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    [scan] = await list_containers(inventory.parts.hosts, inventory.parts.scanner, with_addresses=True)
    assert {one.vmid: one.owner for one in scan.containers} == {
        101: None,
        102: None,
        103: None,
        ref.vmid: "shop",
    }
    assert (scan.complete, scan.missing_nodes) == (True, ())
    [mine] = [one for one in scan.containers if one.vmid == ref.vmid]
    assert mine.ip_address


async def test_marks_count_more_than_reservations(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    inventory.config(ref).update(description="proximity-app: newer\n", hostname="newer")
    [scan] = await list_containers(inventory.parts.hosts, inventory.parts.scanner)
    assert {one.vmid: one.owner for one in scan.containers}[ref.vmid] == "newer"


async def test_a_silent_host_has_an_incomplete_scan_and_an_inactive_one_none(
    inventory: InstantInventory,
) -> None:
    other, off = await inventory.add_host("other"), await inventory.add_host("off")
    await inventory.parts.hosts.update_host(off.id, HostChanges(is_active=False))
    inventory.proxmox.outage = SilentHosts("other")
    scans = await list_containers(inventory.parts.hosts, inventory.parts.scanner, brief=True)
    assert [(scan.host_id, scan.complete) for scan in scans] == [(inventory.host.id, True), (other.id, False)]
    assert "does not answer" in scans[1].error
    only = await list_containers(inventory.parts.hosts, inventory.parts.scanner, host_id=inventory.host.id)
    assert [scan.host_id for scan in only] == [inventory.host.id]


async def test_a_node_that_is_down_is_named(inventory: InstantInventory) -> None:
    inventory.proxmox.cluster.nodes["pve3"].online = False
    [scan] = await list_containers(inventory.parts.hosts, inventory.parts.scanner)
    assert (scan.complete, scan.missing_nodes) == (False, ("pve3",))


async def test_an_unknown_host_is_an_error(inventory: InstantInventory) -> None:
    with pytest.raises(HostNotFoundError, match="99"):
        await list_containers(inventory.parts.hosts, inventory.parts.scanner, host_id=99)
