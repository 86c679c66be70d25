"""Addresses of containers: DHCP, chosen, or from the configured subnet, and never one twice."""

import asyncio

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import settings_pb2

from services.common.core.errors import InvalidError
from services.inventory.domain.errors import AddressTakenError, NoFreeAddressError
from tests.contract.inventory.conftest import Inventory, new_call

SUBNET = "127.91.7.0/29"


@pytest.fixture(autouse=True)
async def subnet(inventory: Inventory) -> None:
    await inventory.containers._settings.change_network(
        {
            "default_subnet": SUBNET,
            "default_gateway": "127.91.7.1",
            "default_dns_primary": "127.91.7.2",
            "default_dns_secondary": "",
        }
    )


def read_net0(inventory: Inventory, ref: cs.ContainerRef) -> dict[str, str]:
    config = inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data
    return dict(part.split("=", 1) for part in str(config["net0"]).split(","))


async def test_addresses_of_the_subnet_are_given_once_and_given_back(inventory: Inventory) -> None:
    owners = [f"static-{number}" for number in range(4)]
    refs = await asyncio.gather(*(inventory.create(one, network_cidr="static", vlan_tag=7) for one in owners))
    networks = [read_net0(inventory, ref) for ref in refs]
    assert {one["ip"] for one in networks} == {f"127.91.7.{last}/29" for last in (3, 4, 5, 6)}
    assert {(one["gw"], one["tag"], one["bridge"]) for one in networks} == {("127.91.7.1", "7", "vmbr0")}
    with pytest.raises(NoFreeAddressError, match=SUBNET.replace(".", r"\.")):
        await inventory.create("static-none", network_cidr="static")
    release = cs.ReleaseVmidRequest(host_id=inventory.host.id, owner=owners[1])
    await inventory.containers.release_vmid(release, new_call())
    again = await inventory.create("static-again", network_cidr="static")
    assert read_net0(inventory, again)["ip"] == networks[1]["ip"]


async def test_a_chosen_address_is_refused_when_another_app_has_it(inventory: Inventory) -> None:
    ref = await inventory.create("chosen", network_cidr="127.92.0.9/24", gateway="10.0.0.1")
    assert read_net0(inventory, ref)["ip"] == "127.92.0.9/24"
    assert "gw" not in read_net0(inventory, ref)  # it is not in that network
    with pytest.raises(AddressTakenError, match="chosen"):
        await inventory.create("second", network_cidr="127.92.0.9/24")
    with pytest.raises(InvalidError, match="no address"):
        await inventory.create("third", network_cidr="127.92.0.900/24")


async def test_a_copy_starts_at_an_address_of_its_own(inventory: Inventory) -> None:
    ref = await inventory.create("original", network_cidr="static")
    other = await inventory.containers.reserve_vmid(
        cs.ReserveVmidRequest(host_id=ref.host_id, owner="copied"), new_call()
    )
    target = cs.ContainerRef(host_id=ref.host_id, vmid=other.vmid, node="pve1")
    clone = cs.CloneContainerRequest(
        source=ref, source_owner="original", target=target, target_owner="copied", hostname="copied"
    )
    assert (await inventory.finish(await inventory.containers.clone_container(clone, new_call()))).succeeded
    await inventory.start(ref, "original")
    await inventory.start(target, "copied")
    first, second = read_net0(inventory, ref), read_net0(inventory, target)
    assert first["ip"] != second["ip"]
    assert second["ip"].startswith("127.91.7.")
    assert second["ip"].endswith("/29")


async def test_settings_know_no_impossible_network(inventory: Inventory) -> None:
    request = settings_pb2.UpdateNetworkSettingsRequest(default_gateway="192.0.2.1")
    with pytest.raises(InvalidError, match="not in the subnet"):
        await inventory.containers._settings.change_network({"default_gateway": request.default_gateway})
