"""Several hosts and clusters: silence, failover, the same id twice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.core.errors import DomainError
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.jobs.node_sync import NodeSync
from tests.contract.inventory.conftest import Inventory, count_requests, make_host, new_call
from tests.e2e.simulators import Simulator
from tests.unit.pvesim.sim import Running

DOWN = {"kind": "reset", "match": {}}


@pytest.fixture(autouse=True)
def well_again(sim: Running, other: Running) -> Iterator[None]:
    yield
    for running in (sim, other):
        running.client.control("DELETE", "/faults")
        running.client.control("PATCH", "/nodes/pve1", {"online": True})


async def list_nodes(inventory: Inventory, host_id: int) -> dict[str, str]:
    request = pb.ListNodesRequest(host_id=host_id)
    nodes = [node.message async for node in inventory.hosts.list_nodes(request, new_call())]
    return {node.name: node.status for node in nodes}


async def test_the_same_id_on_two_hosts_is_two_containers(inventory: Inventory, other: Running) -> None:
    second = await inventory.store.add_host(make_host(other, "second"))
    refs = []
    for host_id in (inventory.host.id, second.id):
        await inventory.vmids.claim_vmid(host_id, 9500, owner="twin")
        ref = cs.ContainerRef(host_id=host_id, vmid=9500, node="pve1")
        request = cs.CreateContainerRequest(
            container=ref, owner="twin", hostname=f"twin-{host_id}", memory_mb=256, cores=1, disk_gb=4
        )
        task = await inventory.containers.create_container(request, new_call())
        assert (await inventory.finish(task)).succeeded
        refs.append(ref)
    listed = await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    found = {(one.host_id, one.name) for one in listed.containers if one.vmid == 9500}
    assert found == {(ref.host_id, f"twin-{ref.host_id}") for ref in refs}
    gone = cs.ContainerActionRequest(container=refs[0], owner="twin")
    assert (await inventory.finish(await inventory.containers.destroy_container(gone, new_call()))).succeeded
    left = await inventory.containers.get_container(cs.GetContainerRequest(container=refs[1]), new_call())
    assert left.name == f"twin-{second.id}"


async def test_a_cluster_is_asked_through_another_node_when_one_is_down(
    inventory: Inventory, other: Running
) -> None:
    host = await inventory.store.add_host(make_host(other, "cluster"))
    await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=host.id), new_call())
    assert await list_nodes(inventory, host.id) == {"pve1": "online", "pve2": "online"}
    other.client.control("PATCH", "/nodes/pve1", {"online": False})
    await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=host.id), new_call())
    assert await list_nodes(inventory, host.id) == {"pve1": "offline", "pve2": "online"}
    place = await inventory.containers.place_container(
        cs.PlaceContainerRequest(host_id=host.id, memory_mb=256), new_call()
    )
    assert place.node == "pve2"

    inventory.fleet.forget(host.id)  # as after a restart: what the database knows is enough
    scans = await inventory.containers.list_containers(cs.ListContainersRequest(host_id=host.id), new_call())
    assert [list(scan.missing_nodes) for scan in scans.scans] == [["pve1"]]


async def test_deployments_at_once_ask_a_host_once(inventory: Inventory, sim: Running) -> None:
    candidates, simulator = inventory.parts.candidates, Simulator(sim.client.ready)

    def count_asked() -> int:
        return [one["path"] for one in simulator.list_requests()].count("/cluster/resources")

    before = await asyncio.to_thread(count_asked)
    found = await asyncio.gather(*(candidates.list_candidates(inventory.host) for _ in range(10)))
    assert [[one.node for one in each] for each in found] == [["pve1", "pve2", "pve3"]] * 10
    assert await asyncio.to_thread(count_asked) == before + 1
    await candidates.list_candidates(inventory.host)
    assert await asyncio.to_thread(count_asked) == before + 2


async def test_a_silent_host_costs_the_others_nothing_and_is_asked_less_and_less(
    inventory: Inventory, other: Running, sim: Running
) -> None:
    silent = await inventory.store.add_host(make_host(other, "silent"))
    other.client.control("POST", "/faults", [{"kind": "hang", "seconds": 30}])
    sync = NodeSync(inventory.store, inventory.fleet, access=inventory.access, every_s=0.2)
    sim.client.control("DELETE", "/requests")
    running = asyncio.create_task(sync.run())
    end = time.monotonic() + 20
    while count_requests(sim).get("GET /version", 0) < 3 and time.monotonic() < end:
        await asyncio.wait({running}, timeout=0.05)
    assert count_requests(sim)["GET /version"] >= 3  # round after round, though one is still being waited for
    assert set((await list_nodes(inventory, inventory.host.id)).values()) == {"online"}
    assert (await inventory.store.get_host(silent.id)).last_error == ""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sync = NodeSync(inventory.store, inventory.fleet, access=inventory.access, every_s=0.2)

    other.client.control("DELETE", "/faults")
    other.client.control("POST", "/faults", [DOWN])
    inventory.fleet.forget(silent.id)
    await sync.sync_due()
    assert (await inventory.store.get_host(silent.id)).status == "offline"
    other.client.control("DELETE", "/requests")
    for _ in range(5):
        await sync.sync_due()
    assert sum(count_requests(other).values()) <= 12  # not five times all
    listed = await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    assert {scan.host_id: scan.complete for scan in listed.scans} == {
        inventory.host.id: True,
        silent.id: False,
    }
    client = await inventory.fleet.get_client(silent.id)
    with contextlib.suppress(DomainError):
        await client.get("/version")
    other.client.control("DELETE", "/requests")
    with pytest.raises(HostUnreachableError):
        await client.get("/version")
    assert count_requests(other) == {}, "a host that was silent just now is not waited for again"


async def test_an_overview_is_one_call_however_many_containers_there_are(
    inventory: Inventory, sim: Running
) -> None:
    for number in range(3):
        await inventory.create(f"many-{number}")
    # Marks of containers and architectures of nodes are read once.
    await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=inventory.host.id), new_call())
    sim.client.control("DELETE", "/requests")
    await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    assert count_requests(sim) == {"GET /cluster/resources": 1}
    sim.client.control("DELETE", "/requests")
    await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=inventory.host.id), new_call())
    counted: dict[str, Any] = count_requests(sim)
    assert counted["GET /cluster/resources"] == 1
    assert sum(counted.values()) <= 4
