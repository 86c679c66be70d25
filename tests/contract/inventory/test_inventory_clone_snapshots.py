"""Clones of one running container after each other: each takes a snapshot of its own and deletes what others left."""

import asyncio

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import ContainerLockedError
from services.inventory.usecases import clone_container
from tests.contract.inventory.conftest import Inventory, new_call


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "task_hang", "match": {"type": "vzdelsnapshot"}, "times": 1, "seconds": 0.6},
        {"kind": "lock_timeout", "match": {"type": "vzdelsnapshot"}, "times": 1},
    ],
    ids=["deleted meanwhile", "locked"],
)
async def test_the_snapshot_of_an_earlier_clone_fails_no_other_one(
    inventory: Inventory, fault: dict[str, object]
) -> None:
    containers, source, owner = inventory.containers, f"busy-{fault['kind']}", f"later-{fault['kind']}"
    ref = await inventory.create(source, storage="local-lvm")
    await inventory.start(ref, source)
    path = f"/nodes/pve1/lxc/{ref.vmid}/snapshot"
    taken = inventory.sim.call("POST", path, snapname="proximity-clone-4711").data
    await inventory.finish(cs.Task(host_id=ref.host_id, node="pve1", upid=taken))
    inventory.sim.client.control("POST", "/faults", [fault])
    if fault["kind"] == "task_hang":  # the earlier clone deletes it at the same time
        inventory.sim.call("DELETE", f"{path}/proximity-clone-4711")
    other = await containers.reserve_vmid(cs.ReserveVmidRequest(host_id=ref.host_id, owner=owner), new_call())
    target = cs.ContainerRef(host_id=ref.host_id, vmid=other.vmid, node="pve1")
    request = cs.CloneContainerRequest(
        source=ref, source_owner=source, target=target, target_owner=owner, hostname="twin"
    )
    if fault["kind"] == "lock_timeout":
        with pytest.raises(ContainerLockedError, match="can't lock file"):  # waited for
            await containers.clone_container(request, new_call())
    assert (await inventory.finish(await containers.clone_container(request, new_call()))).succeeded
    await asyncio.gather(*clone_container._cleaning)
    assert [one["name"] for one in inventory.sim.call("GET", path).data] == ["current"]
