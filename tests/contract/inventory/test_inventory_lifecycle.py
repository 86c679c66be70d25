"""A container from reservation to destruction, against the simulated Proxmox."""

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.domain.errors import NotOursError, VmidTakenError
from tests.contract.inventory.conftest import OWNER, Inventory, new_call


async def test_a_container_lives_from_creation_to_destruction(inventory: Inventory) -> None:
    ref = await inventory.create()
    await inventory.start(ref)
    found = await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())
    assert (found.status, found.owner, found.name, found.node) == ("running", OWNER, "web", "pve1")
    assert found.ip_address
    assert found.config["features"] == "nesting=1,keyctl=1"

    text, code = await inventory.run(ref, "sh", "-c", "echo 'a b'; exit 3")
    assert (text, code) == ("a b\n", 3)
    for content in (b"A='x y'\n", b""):  # an app without settings has a file without a line
        push = cs.PushFileRequest(
            container=ref, owner=OWNER, path="/opt/app/.env", content=content, mode=0o600
        )
        await inventory.containers.push_file(push, new_call())
        assert await inventory.run(ref, "cat", "/opt/app/.env") == (content.decode(), 0)

    action = cs.ContainerActionRequest(container=ref, owner=OWNER, timeout_s=5)
    assert (await inventory.finish(await inventory.containers.reboot_container(action, new_call()))).succeeded
    assert (await inventory.finish(await inventory.containers.stop_container(action, new_call()))).succeeded
    assert (await inventory.containers.stop_container(action, new_call())).upid == ""
    assert (
        await inventory.finish(await inventory.containers.destroy_container(action, new_call()))
    ).succeeded
    asked = inventory.sim.client.control("GET", "/requests")
    [gone] = [one for one in asked if one["method"] == "DELETE" and one["path"].endswith(f"/lxc/{ref.vmid}")]
    assert gone["params"] == {"purge": "1"}  # disks that the configuration does not name may be somebody's
    assert (await inventory.containers.destroy_container(action, new_call())).upid == ""
    with pytest.raises(ContainerNotFoundError):
        await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())


async def test_what_is_as_asked_is_left_alone(inventory: Inventory) -> None:
    ref = await inventory.create("same-app")
    again = cs.CreateContainerRequest(container=ref, owner="same-app", hostname="web", memory_mb=512)
    assert (await inventory.containers.create_container(again, new_call())).upid == ""
    await inventory.start(ref, "same-app")
    action = cs.ContainerActionRequest(container=ref, owner="same-app")
    assert (await inventory.containers.start_container(action, new_call())).upid == ""


async def test_a_strangers_container_is_never_touched(inventory: Inventory) -> None:
    stranger = cs.ContainerRef(host_id=inventory.host.id, vmid=101, node="pve1")
    action = cs.ContainerActionRequest(container=stranger, owner=OWNER)
    with pytest.raises(NotOursError):
        await inventory.containers.stop_container(action, new_call())
    with pytest.raises(NotOursError):
        await inventory.containers.destroy_container(action, new_call())
    with pytest.raises(NotOursError):
        await inventory.run(stranger, "true")
    with pytest.raises(VmidTakenError):
        await inventory.containers.create_container(
            cs.CreateContainerRequest(container=stranger, owner=OWNER, hostname="web"), new_call()
        )


async def test_a_reservation_is_the_same_for_the_same_owner_and_new_for_another(inventory: Inventory) -> None:
    request = cs.ReserveVmidRequest(host_id=inventory.host.id, owner="one")
    first = await inventory.containers.reserve_vmid(request, new_call())
    assert first == await inventory.containers.reserve_vmid(request, new_call())
    request.owner = "other"
    assert first != await inventory.containers.reserve_vmid(request, new_call())


async def test_the_marks_in_a_container_count_more_than_a_reservation(inventory: Inventory) -> None:
    """After an older backup of the platform was restored, its ids may be somebody else's."""
    mine, others = await inventory.create("was-mine"), await inventory.create("still-mine")
    client = await inventory.fleet.get_client(inventory.host.id)
    await client.put(f"/nodes/pve1/lxc/{mine.vmid}/config", description="proximity-app: newer-app\n")

    async def list_owners() -> dict[int, str]:
        answer = await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
        return {one.vmid: one.owner for one in answer.containers}

    for _ in range(2):
        found = await list_owners()
        assert [found[mine.vmid], found[others.vmid]] == ["newer-app", "still-mine"]
    await client.put(
        f"/nodes/pve1/lxc/{others.vmid}/config", hostname="new", description="proximity-app: it\n"
    )
    assert (await list_owners())[others.vmid] == "it"


async def test_the_list_of_containers_names_owners_and_says_that_it_is_complete(inventory: Inventory) -> None:
    ref = await inventory.create("listed-app")
    answer = await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    owners = {one.vmid: one.owner for one in answer.containers}
    assert owners[ref.vmid] == "listed-app"
    assert owners[101] == ""
    assert [scan.complete for scan in answer.scans] == [True]
