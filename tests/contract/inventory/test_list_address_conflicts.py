"""ListAddressConflicts: static addresses that another guest of the host has too."""

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as cs

from tests.contract.inventory.conftest import Inventory, new_call


def add_stranger(inventory: Inventory, vmid: int, *, net0: str) -> cs.ContainerRef:
    stranger = {"vmid": vmid, "node": "pve1", "config": {"net0": net0}, "storage": "local-lvm"}
    inventory.sim.client.control("POST", "/containers", stranger)
    return cs.ContainerRef(host_id=inventory.host.id, vmid=vmid, node="pve1")


async def list_conflicts(inventory: Inventory, ref: cs.ContainerRef) -> list[str]:
    request = cs.GetContainerRequest(container=ref)
    return list((await inventory.containers.list_address_conflicts(request, new_call())).conflicts)


async def test_an_address_of_a_guest_that_does_not_run_is_a_conflict(inventory: Inventory) -> None:
    link = "name=eth0,bridge=vmbr0,ip=127.96.1.53/24,gw=127.96.1.1"
    refs = [add_stranger(inventory, vmid, net0=link) for vmid in (141, 142)]
    [conflict] = await list_conflicts(inventory, refs[1])
    assert conflict.startswith("The address 127.96.1.53 on vmbr0 is also that of container 141")


async def test_a_copy_that_has_not_run_is_no_conflict_of_its_original(inventory: Inventory) -> None:
    ref = add_stranger(inventory, 147, net0="name=eth0,bridge=vmbr0,ip=127.98.1.53/24")
    adopt = cs.ContainerActionRequest(container=ref, owner="original")
    await inventory.containers.adopt_container(adopt, new_call())
    reserve = cs.ReserveVmidRequest(host_id=ref.host_id, owner="copy")
    vmid = (await inventory.containers.reserve_vmid(reserve, new_call())).vmid
    target = cs.ContainerRef(host_id=ref.host_id, vmid=vmid, node="pve1")
    clone = cs.CloneContainerRequest(
        source=ref, source_owner="original", target=target, target_owner="copy", hostname="copied"
    )
    assert (await inventory.finish(await inventory.containers.clone_container(clone, new_call()))).succeeded
    assert await list_conflicts(inventory, ref) == []
    inventory.sim.client.control("POST", f"/containers/{vmid}/start")
    assert f"container {vmid}" in (await list_conflicts(inventory, ref))[0]


async def test_an_address_on_another_vlan_or_link_that_is_down_is_none(inventory: Inventory) -> None:
    address = "ip=127.97.1.53/24"
    first = add_stranger(inventory, 143, net0=f"name=eth0,bridge=vmbr0,{address}")
    add_stranger(inventory, 144, net0=f"name=eth0,bridge=vmbr0,tag=12,{address}")
    add_stranger(inventory, 145, net0=f"name=eth0,bridge=vmbr0,link_down=1,{address}")
    add_stranger(inventory, 146, net0="name=eth0,bridge=vmbr0,ip=dhcp")
    assert await list_conflicts(inventory, first) == []
