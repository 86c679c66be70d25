"""SSH to nodes whose addresses the cluster names and nobody here reaches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.struct_pb2 import Struct
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.core.errors import InvalidError
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.proxmox.ssh import Shells, leave
from services.inventory.proxmox.ssh_routes import SshRoute
from tests.contract.inventory.conftest import Inventory, new_call

NOWHERE = "127.255.255.1"  # refuses at once


@pytest.fixture(autouse=True)
def inner_addresses(inventory: Inventory) -> Iterator[dict[str, str]]:
    """The cluster names addresses of an inner network; yields the real ones."""
    real = {
        one["name"]: str(one["ip"])
        for one in inventory.sim.call("GET", "/cluster/status").data
        if "ip" in one
    }
    for node in real:
        inventory.sim.client.control("PATCH", f"/nodes/{node}", {"address": NOWHERE})
    yield real
    for node, address in real.items():
        inventory.sim.client.control("PATCH", f"/nodes/{node}", {"address": address})


async def ask(inventory: Inventory) -> pb.TestHostResponse:
    return await inventory.hosts.test_host(pb.TestHostRequest(id=inventory.host.id), new_call())


async def create_on(inventory: Inventory, node: str, owner: str) -> cs.ContainerRef:
    reserve = cs.ReserveVmidRequest(host_id=inventory.host.id, owner=owner)
    vmid = (await inventory.containers.reserve_vmid(reserve, new_call())).vmid
    ref = cs.ContainerRef(host_id=inventory.host.id, vmid=vmid, node=node)
    request = cs.CreateContainerRequest(
        container=ref, owner=owner, hostname="web", memory_mb=512, cores=1, disk_gb=4, docker=True
    )
    assert (
        await inventory.finish(await inventory.containers.create_container(request, new_call()))
    ).succeeded
    await inventory.start(ref, owner)
    return ref


async def test_the_registered_node_is_reached_at_the_registered_address(inventory: Inventory) -> None:
    answer = await ask(inventory)
    assert answer.exec_mode == "ssh", answer.message
    assert "on node pve2 by console (SSH reaches node pve2 by none of" in answer.message
    ref = await inventory.create()
    await inventory.start(ref)
    assert await inventory.run(ref, "echo", "here") == ("here\n", 0)


async def test_where_no_ssh_leads_the_console_is_used(inventory: Inventory) -> None:
    ref = await create_on(inventory, "pve2", "by-console")
    assert inventory.sim.call("GET", f"/nodes/pve2/lxc/{ref.vmid}/config").data["cmode"] == "shell"
    assert await inventory.run(ref, "echo", "there", owner="by-console") == ("there\n", 0)


async def test_an_administrator_sets_addresses_that_lead_there(
    inventory: Inventory, inner_addresses: dict[str, str]
) -> None:
    addresses = Struct()
    addresses.update(
        {node: f"{address}:{inventory.host.ssh_port}" for node, address in inner_addresses.items()}
    )
    update = pb.UpdateHostRequest(id=inventory.host.id, ssh_addresses=addresses)
    with pytest.raises(InvalidError, match="password: is required again"):
        await inventory.hosts.update_host(update, new_call())
    update.password = str(inventory.sim.client.ready["password"])
    host = await inventory.hosts.update_host(update, new_call())
    assert dict(host.ssh_addresses)["pve2"] == f"{inner_addresses['pve2']}:{inventory.host.ssh_port}"
    answer = await ask(inventory)
    assert answer.exec_mode == "ssh"
    assert "by console" not in answer.message
    ref = await create_on(inventory, "pve3", "by-ssh")
    assert "cmode" not in inventory.sim.call("GET", f"/nodes/pve3/lxc/{ref.vmid}/config").data
    assert await inventory.run(ref, "echo", "there", owner="by-ssh") == ("there\n", 0)
    cleared = pb.UpdateHostRequest(id=inventory.host.id, ssh_addresses=Struct(), password=update.password)
    assert not (await inventory.hosts.update_host(cleared, new_call())).ssh_addresses


async def test_a_node_is_reached_through_another(
    inventory: Inventory, inner_addresses: dict[str, str]
) -> None:
    shells = Shells(inventory.store)
    client = await inventory.fleet.get_client(inventory.host.id)
    port = inventory.host.ssh_port
    route = SshRoute(inner_addresses["pve2"], port, via=SshRoute(inner_addresses["pve1"], port))
    connection = await shells._connect(client, route)
    done = await connection.run("hostname")
    assert str(done.stdout).strip() == "pve2"
    assert await inventory.store.find_ssh_key(inventory.host.id, route.endpoint)
    gate = connection.get_extra_info("gate")
    leave(connection)
    await connection.wait_closed()
    await gate.wait_closed()


async def test_a_container_without_an_open_console_waits_for_ssh(inventory: Inventory) -> None:
    ref = await create_on(inventory, "pve1", "waits")
    assert await inventory.run(ref, "true", owner="waits") == ("", 0)
    password = str(inventory.sim.client.ready["password"])
    away = pb.UpdateHostRequest(id=inventory.host.id, ssh_port=1, password=password)
    await inventory.hosts.update_host(away, new_call())
    with pytest.raises(HostUnreachableError, match=":1 fails"):
        await inventory.run(ref, "true", owner="waits")
