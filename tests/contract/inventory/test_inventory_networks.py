"""Addresses of containers: DHCP, chosen, or from the configured subnet, and never one twice."""

import asyncio
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import settings_pb2

from services.common.core.errors import InvalidError
from services.inventory.domain.entities import Network, NewHost, Secrets
from services.inventory.domain.errors import AddressTakenError, NoFreeAddressError
from services.inventory.domain.user_networks import UserNetwork
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


def ask_place(cidr: str = "", *, bridge: str = "vmbr0", vlan: int = 0, restricted: bool = True) -> Any:
    return cs.PlaceContainerRequest(
        memory_mb=256, network_cidr=cidr, bridge=bridge, vlan=vlan or None, restricted=restricted
    )


async def test_the_network_is_checked_before_anything_is_made(inventory: Inventory) -> None:
    settings = inventory.containers._settings
    lab = UserNetwork(bridge="vmbr0", vlan=20, subnet="10.20.0.0/24", gateway="10.20.0.1")
    await settings.change_network(vars(Network()), user_networks=[lab])
    place = inventory.containers.place_container
    placed = await place(ask_place("10.20.0.9/24", vlan=20), new_call())
    assert (placed.bridge, placed.gateway) == ("vmbr0", "10.20.0.1")
    for refused in (ask_place(vlan=21), ask_place(bridge="vmbr1"), ask_place("10.0.9.9/24")):
        with pytest.raises(InvalidError):
            await place(refused, new_call())
    await place(ask_place("10.0.9.9/24", restricted=False), new_call())

    ref = await inventory.create("lab-1", network_cidr="static", vlan_tag=20, bridge="vmbr0")
    net0 = read_net0(inventory, ref)
    assert (net0["ip"], net0["gw"], net0["tag"]) == ("10.20.0.2/24", "10.20.0.1", "20")
    for restricted in (True, False):
        with pytest.raises(AddressTakenError, match="another app"):
            await place(ask_place("10.20.0.2/24", vlan=20, restricted=restricted), new_call())


async def test_a_chosen_address_is_reserved_for_its_app_until_that_is_given_up(inventory: Inventory) -> None:
    place = inventory.containers.place_container
    first, second = (ask_place("10.0.0.77/24", restricted=False) for _ in range(2))
    first.owner, second.owner = "app-1", "app-2"
    placed = await place(first, new_call())
    await place(first, new_call())  # a repetition
    with pytest.raises(AddressTakenError):
        await place(second, new_call())
    release = cs.ReleaseVmidRequest(host_id=placed.host_id, owner="app-1")
    await inventory.containers.release_vmid(release, new_call())
    await place(second, new_call())


async def test_the_address_of_a_host_is_nobody_elses(inventory: Inventory) -> None:
    secrets = Secrets(password="x")
    await inventory.store.add_host(NewHost(name="there", host="10.0.0.9", secrets=secrets))
    with pytest.raises(AddressTakenError, match="Proxmox host"):
        await inventory.containers.place_container(ask_place("10.0.0.9/24", restricted=False), new_call())


async def test_an_app_is_reached_at_its_own_link(inventory: Inventory) -> None:
    ref = await inventory.create("reached")
    await inventory.start(ref, "reached")
    sim = inventory.sim
    docker = {"name": "docker0", "hwaddr": "02:42:00:00:00:01", "addresses": ["172.17.0.1/16"]}
    tailscale = {"name": "tailscale0", "addresses": ["100.64.0.7/32"]}
    own = {"name": "eth0", "addresses": ["2001:db8:7::5/64", "fe80::5/64"]}

    async def find(*interfaces: dict[str, Any]) -> str:
        sim.client.control("PUT", f"/containers/{ref.vmid}/interfaces", list(interfaces))
        get = cs.GetContainerRequest(container=ref)
        scan = await inventory.containers.list_containers(
            cs.ListContainersRequest(host_id=ref.host_id, with_addresses=True), new_call()
        )
        [listed] = [one for one in scan.containers if one.vmid == ref.vmid]
        shown = await inventory.containers.get_container(get, new_call())
        assert shown.ip_address == listed.ip_address
        return str(shown.ip_address)

    assert await find(docker, tailscale) == sim.find_address(ref.vmid)
    assert await find(docker, tailscale, own) == ""  # DHCP may still give it an IPv4 address
    sim.client.control("POST", f"/containers/{ref.vmid}/age", {"seconds": 60})
    assert await find(docker, tailscale, own) == "2001:db8:7::5"
    assert await find(docker, {**own, "addresses": ["169.254.1.1/16"]}) == ""
