"""ContainerLookup found by their mark: what is asked before one is made, so that no second one is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import (
    ContainerElsewhereError,
    HostUnreachableError,
    VmidTakenError,
)
from tests.contract.inventory.conftest import Inventory, make_host, new_call
from tests.unit.pvesim.sim import Running, start

SILENT = {"kind": "reset", "match": {}}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A second cluster."""
    with start(tmp_path_factory.mktemp("other"), "--nodes", "2") as running:
        yield running


@pytest.fixture(autouse=True)
def well_again(sim: Running, other: Running) -> Iterator[None]:
    yield
    for running in (sim, other):
        running.client.control("DELETE", "/faults")
        for node in ("pve1", "pve2"):
            running.client.control("PATCH", f"/nodes/{node}", {"online": True})


async def find(inventory: Inventory, owner: str, hostname: str = "") -> list[tuple[int, int]]:
    request = cs.FindOwnedContainersRequest(owner=owner, host_id=inventory.host.id, hostname=hostname)
    answer = await inventory.containers.find_owned_containers(request, new_call())
    assert {one.owner for one in answer.containers} <= {owner}
    return sorted((one.host_id, one.vmid) for one in answer.containers)


async def forget(inventory: Inventory, owner: str) -> None:
    """Give the reservation back, as a database does that was restored from before it."""
    await inventory.vmids.release_vmid(inventory.host.id, owner)


async def test_a_container_is_found_by_its_mark_without_a_reservation(inventory: Inventory) -> None:
    ref = await inventory.create("owned-1")
    await forget(inventory, "owned-1")
    assert await find(inventory, "owned-1") == [(inventory.host.id, ref.vmid)]
    assert await find(inventory, "owned-2") == []


async def test_a_mark_counts_more_than_the_reservation_of_another(inventory: Inventory) -> None:
    ref = await inventory.create("owned-3")
    await forget(inventory, "owned-3")
    await inventory.vmids.claim_vmid(inventory.host.id, ref.vmid, owner="older-1")
    assert await find(inventory, "owned-3") == [(inventory.host.id, ref.vmid)]
    assert await find(inventory, "older-1") == []


async def test_a_copy_made_in_proxmox_carries_the_mark_too(inventory: Inventory) -> None:
    ref = await inventory.create("owned-4")
    client = await inventory.fleet.get_client(inventory.host.id)
    upid = await client.post(f"/nodes/pve1/lxc/{ref.vmid}/clone", newid=9777, full=1, hostname="copy")
    assert (await inventory.finish(cs.Task(host_id=inventory.host.id, node="pve1", upid=upid))).succeeded
    assert await find(inventory, "owned-4") == [(inventory.host.id, ref.vmid), (inventory.host.id, 9777)]


async def test_marks_are_read_once(inventory: Inventory, sim: Running) -> None:
    await inventory.create("owned-5")
    await find(inventory, "owned-5")
    before = len(sim.client.control("GET", "/requests"))
    await find(inventory, "owned-6")
    asked = sim.client.control("GET", "/requests")[before:]
    assert not [one["path"] for one in asked if one["path"].endswith("/config")]


async def test_containers_on_other_hosts_are_found_and_silent_ones_left_out(
    inventory: Inventory, other: Running
) -> None:
    host = await inventory.store.add_host(make_host(other, "second"))
    client = await inventory.fleet.get_client(host.id)
    await client.put("/nodes/pve1/lxc/101/config", tags="proximity", description="proximity-app: owned-7\n")
    assert await find(inventory, "owned-7") == [(host.id, 101)]
    other.client.control("POST", "/faults", SILENT)
    assert await find(inventory, "owned-7") == []


async def test_the_host_itself_must_answer(inventory: Inventory, sim: Running) -> None:
    sim.client.control("POST", "/faults", SILENT)
    with pytest.raises(HostUnreachableError):
        await find(inventory, "owned-8")


async def test_what_cannot_be_read_and_may_be_the_owners_is_waited_for(
    inventory: Inventory, sim: Running
) -> None:
    ref = await inventory.create("owned-9")  # its hostname is web
    path = {"path": f"/lxc/{ref.vmid}/config$"}
    sim.client.control("POST", "/faults", {"kind": "error", "match": path})
    await forget(inventory, "owned-9")
    with pytest.raises(
        HostUnreachableError, match=f"container {ref.vmid} on node pve1 may be that of owned-9"
    ):
        await find(inventory, "owned-9", "web")
    assert await find(inventory, "owned-10", "another") == []
    sim.client.control("DELETE", "/faults")
    assert await find(inventory, "owned-9", "web") == [(inventory.host.id, ref.vmid)]


async def test_a_node_that_is_down_does_not_keep_others_from_being_used(
    inventory: Inventory, sim: Running
) -> None:
    ref = await inventory.create("owned-12")
    sim.client.control("PATCH", "/nodes/pve2", {"online": False})
    assert await find(inventory, "owned-12", "web") == [(inventory.host.id, ref.vmid)]


async def test_what_carries_the_owners_mark_takes_the_place_of_its_reservation(inventory: Inventory) -> None:
    ref = await inventory.create("owned-11")
    await forget(inventory, "owned-11")
    again = cs.ReserveVmidRequest(host_id=inventory.host.id, owner="owned-11")
    assert (await inventory.containers.reserve_vmid(again, new_call())).vmid != ref.vmid
    action = cs.ContainerActionRequest(container=ref, owner="owned-11")
    await inventory.containers.adopt_container(action, new_call())
    assert await inventory.vmids.find_vmid(inventory.host.id, "owned-11") == ref.vmid
    await forget(inventory, "owned-11")
    await inventory.vmids.claim_vmid(inventory.host.id, ref.vmid, owner="older-2")
    await inventory.vmids.reserve_vmid(inventory.host.id, "owned-11", taken=set())
    kept = await inventory.vmids.find_vmid(inventory.host.id, "owned-11")
    with pytest.raises(VmidTakenError, match="older-2"):
        await inventory.containers.adopt_container(action, new_call())
    assert await inventory.vmids.find_vmid(inventory.host.id, "owned-11") == kept


@pytest.mark.parametrize("beside", [False, True], ids=["in place", "beside"])
async def test_an_archive_is_not_restored_as_a_second_container(inventory: Inventory, beside: bool) -> None:
    """The app's container is gone, and somebody restored or copied it under another id in Proxmox."""
    owner, vmid = f"owned-13-{beside}", 9780 + beside
    ref = await inventory.create(owner)
    client = await inventory.fleet.get_client(inventory.host.id)
    for upid in (
        await client.post(f"/nodes/pve1/lxc/{ref.vmid}/clone", newid=vmid, full=1, hostname="copy"),
        await client.delete(f"/nodes/pve1/lxc/{ref.vmid}"),
    ):
        assert (await inventory.finish(cs.Task(host_id=inventory.host.id, node="pve1", upid=upid))).succeeded
    request = cs.RestoreContainerRequest(
        container=ref, owner=owner, archive="backup:backup/vzdump-lxc-100-x.tar.zst", beside=beside
    )
    with pytest.raises(ContainerElsewhereError, match=f"container {vmid} of .* carries the mark of {owner}"):
        await inventory.containers.restore_container(request, new_call())


async def test_root_takes_the_lock_of_a_broken_creation_off(inventory: Inventory) -> None:
    ref = await inventory.create("wreck")
    nothing = dict.fromkeys(inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data)
    del nothing["digest"]
    inventory.sim.client.control("PATCH", f"/containers/{ref.vmid}", {**nothing, "lock": "create"})
    action = cs.ContainerActionRequest(container=ref, owner="wreck")
    task = await inventory.containers.destroy_container(action, new_call())
    assert (await inventory.finish(task)).succeeded
    commands = inventory.sim.client.control("GET", "/commands?where=node/pve1")
    assert ["pct", "unlock", str(ref.vmid)] in [one["argv"] for one in commands]
