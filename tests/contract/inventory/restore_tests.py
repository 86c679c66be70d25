"""Restore tests on the simulated server, step by step."""

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import restore_test_pb2 as pb

from tests.contract.inventory.conftest import Inventory, new_call

TEST = "restore-test:0123abcd"


async def reserve(inventory: Inventory, owner: str = TEST) -> int:
    request = cs.ReserveVmidRequest(host_id=inventory.host.id, owner=owner)
    return int((await inventory.containers.reserve_vmid(request, new_call())).vmid)


async def restore(
    inventory: Inventory, archive: str, *, bridge: str = "", owner: str = TEST
) -> tuple[cs.ContainerRef, cs.TaskProgress]:
    """Restore an archive for a test, and check that the container is isolated."""
    plan = await inventory.containers.plan_restore_test(
        pb.PlanRestoreTestRequest(host_id=inventory.host.id, archive=archive, bridge=bridge), new_call()
    )
    vmid = await reserve(inventory, owner)
    request = pb.RestoreTestContainerRequest(
        host_id=inventory.host.id,
        vmid=vmid,
        node=plan.node,
        owner=owner,
        archive=archive,
        storage=plan.storage,
        bridge=plan.bridge,
    )
    end = await inventory.finish(await inventory.containers.restore_test_container(request, new_call()))
    if end.succeeded:
        done = await inventory.containers.restore_test_container(request, new_call())
        assert not done.upid
    return cs.ContainerRef(host_id=inventory.host.id, vmid=vmid, node=plan.node), end


async def destroy(inventory: Inventory, ref: cs.ContainerRef, owner: str = TEST) -> None:
    task = await inventory.containers.destroy_container(
        cs.ContainerActionRequest(container=ref, owner=owner), new_call()
    )
    assert (await inventory.finish(task)).succeeded
    release = cs.ReleaseVmidRequest(host_id=inventory.host.id, owner=owner)
    await inventory.containers.release_vmid(release, new_call())
