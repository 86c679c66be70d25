"""Addresses of containers: DHCP, chosen, or from the configured subnet, and never one twice."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import settings_pb2

from services.common.core.errors import InvalidError
from services.inventory.domain.entities import Network, NewHost, Secrets
from services.inventory.domain.errors import AddressTakenError, NoFreeAddressError
from services.inventory.domain.patches import NetworkChanges
from services.inventory.domain.user_networks import UserNetwork
from tests.contract.inventory.conftest import Inventory, new_call

SUBNET = "127.91.7.0/29"


@pytest.fixture(autouse=True)
async def subnet(inventory: Inventory) -> None:
    await inventory.containers._settings.change_network(
        NetworkChanges(
            default_subnet=SUBNET,
            default_gateway="127.91.7.1",
            default_dns_primary="127.91.7.2",
            default_dns_secondary="",
        )
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
        await inventory.create("static-none", network_cidr="static", vlan_tag=7)
    release = cs.ReleaseVmidRequest(host_id=inventory.host.id, owner=owners[1])
    await inventory.containers.release_vmid(release, new_call())
    with pytest.raises(NoFreeAddressError):  # its container is still there
        await inventory.create("static-again", network_cidr="static", vlan_tag=7)
    inventory.sim.client.control("DELETE", f"/containers/{refs[1].vmid}")
    again = await inventory.create("static-again", network_cidr="static", vlan_tag=7)
    assert read_net0(inventory, again)["ip"] == networks[1]["ip"]


async def test_a_chosen_address_is_refused_when_another_app_has_it(inventory: Inventory) -> None:
    ref = await inventory.create("chosen", network_cidr="127.92.0.9/24", gateway="10.0.0.1")
    assert read_net0(inventory, ref)["ip"] == "127.92.0.9/24"
    assert "gw" not in read_net0(inventory, ref)  # it is not in that network
    with pytest.raises(AddressTakenError, match="chosen"):
        await inventory.create("second", network_cidr="127.92.0.9/24")
    with pytest.raises(InvalidError, match="no address"):
        await inventory.create("third", network_cidr="127.92.0.900/24")


def add_stranger(
    inventory: Inventory,
    vmid: int,
    *,
    running: bool = False,
    config: Mapping[str, str] | None = None,
    net0: str = "",
) -> cs.ContainerRef:
    stranger = {
        "vmid": vmid,
        "node": "pve1",
        "config": config or {"net0": net0},
        "running": running,
        "storage": "local-lvm",
    }
    inventory.sim.client.control("POST", "/containers", stranger)
    return cs.ContainerRef(host_id=inventory.host.id, vmid=vmid, node="pve1")


async def adopt(inventory: Inventory, ref: cs.ContainerRef, owner: str) -> None:
    action = cs.ContainerActionRequest(container=ref, owner=owner)
    await inventory.containers.adopt_container(action, new_call())


async def clone(
    inventory: Inventory, source: cs.ContainerRef, owner: str, *, target_owner: str
) -> cs.ContainerRef:
    reserve = cs.ReserveVmidRequest(host_id=source.host_id, owner=target_owner)
    vmid = (await inventory.containers.reserve_vmid(reserve, new_call())).vmid
    target = cs.ContainerRef(host_id=source.host_id, vmid=vmid, node="pve1")
    request = cs.CloneContainerRequest(
        source=source, source_owner=owner, target=target, target_owner=target_owner, hostname="copied"
    )
    task = await inventory.containers.clone_container(request, new_call())
    assert (await inventory.finish(task)).succeeded
    return target


async def start(inventory: Inventory, ref: cs.ContainerRef, owner: str) -> list[str]:
    """Start a container, to its end; the warnings of that."""
    action = cs.ContainerActionRequest(container=ref, owner=owner)
    task = await inventory.containers.start_container(action, new_call())
    assert (await inventory.finish(task)).succeeded
    return list(task.warnings)


def read_config(inventory: Inventory, ref: cs.ContainerRef) -> dict[str, Any]:
    return dict(inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data)


async def test_a_copy_starts_at_an_address_of_its_own(inventory: Inventory) -> None:
    ref = await inventory.create("original", network_cidr="static")
    target = await clone(inventory, ref, "original", target_owner="copied")
    await inventory.start(ref, "original")
    [warning] = await start(inventory, target, "copied")
    first, second = read_net0(inventory, ref), read_net0(inventory, target)
    assert first["ip"] != second["ip"]
    assert second["ip"] in warning
    assert second["ip"].startswith("127.91.7.")
    assert second["ip"].endswith("/29")


LINKS = {
    "net0": "name=eth0,bridge=vmbr0,ip=127.93.1.53/24,gw=127.93.1.1,ip6=fd00:7::53/64,gw6=fd00:7::1",
    "net1": "name=eth1,bridge=vmbr0,tag=20,ip=127.93.1.53/24",
    "net2": "name=eth2,bridge=vmbr0,ip=127.94.1.53/32",
}


async def test_the_links_of_an_adopted_container_are_never_changed(inventory: Inventory) -> None:
    ref = add_stranger(inventory, 181, config=LINKS)
    before = {name: read_config(inventory, ref)[name] for name in LINKS}
    await adopt(inventory, ref, "adopted-1")
    copy = await clone(inventory, ref, "adopted-1", target_owner="copied-1")
    warnings = await start(inventory, copy, "copied-1")
    assert len(warnings) == 3, warnings
    assert "net2 of the copy is switched off" in warnings[2]
    config = read_config(inventory, copy)
    assert not [one for one in ("127.93.1.53", "fd00:7::53/") if one in f"{config['net0']} {config['net1']}"]
    assert "ip=127.93.1.2/24" in config["net0"]
    assert "ip6=fd00:7::2/64" in config["net0"]
    assert "gw6=fd00:7::1" in config["net0"]
    assert "ip=127.93.1.3/24" in config["net1"]  # .1 may be a router, though nobody names one there
    assert "link_down=1" in config["net2"]

    assert await start(inventory, ref, "adopted-1") == []
    stop = cs.ContainerActionRequest(container=copy, owner="copied-1", timeout_s=5)
    assert (await inventory.finish(await inventory.containers.stop_container(stop, new_call()))).succeeded
    await start(inventory, copy, "copied-1")
    assert read_config(inventory, copy)["net0"] == config["net0"]
    assert {name: read_config(inventory, ref)[name] for name in LINKS} == before


async def test_one_address_on_two_networks_is_no_conflict_and_on_one_it_is_said(inventory: Inventory) -> None:
    address = "ip=127.95.1.53/24"
    refs = [
        add_stranger(inventory, vmid, net0=f"name=eth0,bridge=vmbr0,{rest}{address}")
        for vmid, rest in ((191, "tag=10,"), (192, "tag=11,"), (193, ""), (194, ""))
    ]
    nets = [read_config(inventory, ref)["net0"] for ref in refs]
    for ref in refs:
        await adopt(inventory, ref, f"site-{ref.vmid}")
    warnings = [await start(inventory, ref, f"site-{ref.vmid}") for ref in refs]
    assert warnings[:2] == [[], []]
    assert "127.95.1.53 on vmbr0 is also that of container 194" in warnings[2][0]
    assert "container 193" in warnings[3][0]
    assert [read_config(inventory, ref)["net0"] for ref in refs] == nets


async def test_addresses_of_strangers_count_as_taken(inventory: Inventory) -> None:
    lab = UserNetwork(bridge="vmbr0", vlan=30, subnet="10.77.7.0/29", gateway="10.77.7.1")
    await inventory.containers._settings.change_network(NetworkChanges(), user_networks=[lab])
    net = "name=eth0,bridge=vmbr0,tag=30"
    add_stranger(inventory, 201, net0=f"{net},ip=10.77.7.3/29,gw=10.77.7.4")
    leased = add_stranger(inventory, 202, net0=f"{net},ip=dhcp", running=True)
    leases = [{"name": "eth0", "addresses": ["10.77.7.5/29"]}]
    inventory.sim.client.control("PUT", f"/containers/{leased.vmid}/interfaces", leases)
    add_stranger(inventory, 203, net0="name=eth0,bridge=vmbr0,tag=31,ip=10.77.7.2/29")
    machine: dict[str, Any] = {
        "vmid": 204,
        "node": "pve2",
        "config": {"net0": "virtio=BC:24:11:0A:0B:0C,bridge=vmbr0,tag=30"},
    }
    machine["config"]["ipconfig0"] = "ip=10.77.7.2/29"
    inventory.sim.client.control("POST", "/machines", machine)
    ref = await inventory.create("among-strangers", network_cidr="static", vlan_tag=30)
    assert read_net0(inventory, ref)["ip"] == "10.77.7.6/29"
    with pytest.raises(NoFreeAddressError):
        await inventory.create("none-left", network_cidr="static", vlan_tag=30)
    place = inventory.containers.place_container
    for number, who in ((2, "virtual machine 204"), (3, "container 201"), (5, "container 202")):
        with pytest.raises(AddressTakenError, match=who):
            await place(ask_place(f"10.77.7.{number}/29", vlan=30, restricted=False), new_call())
        with pytest.raises(AddressTakenError, match=who):
            await inventory.create(f"chosen-{number}", network_cidr=f"10.77.7.{number}/29", vlan_tag=30)
    await place(ask_place("10.77.7.3/29", vlan=32, restricted=False), new_call())
    shown = {"name": "ens18", "hwaddr": "bc:24:11:0a:0b:0d", "addresses": ["10.77.8.9/24"]}
    machine = {"vmid": 205, "node": "pve1", "running": True, "interfaces": [shown]}
    machine["config"] = {"net0": "virtio=BC:24:11:0A:0B:0D,bridge=vmbr0", "agent": "1"}
    inventory.sim.client.control("POST", "/machines", machine)
    with pytest.raises(AddressTakenError, match="virtual machine 205"):
        await place(ask_place("10.77.8.9/24", restricted=False), new_call())
    with pytest.raises(AddressTakenError, match="node pve"):
        await place(ask_place("192.168.0.10/24", restricted=False), new_call())


async def test_settings_know_no_impossible_network(inventory: Inventory) -> None:
    request = settings_pb2.UpdateNetworkSettingsRequest(default_gateway="192.0.2.1")
    with pytest.raises(InvalidError, match="not in the subnet"):
        await inventory.containers._settings.change_network(
            NetworkChanges(default_gateway=request.default_gateway)
        )


def ask_place(cidr: str = "", *, bridge: str = "vmbr0", vlan: int = 0, restricted: bool = True) -> Any:
    return cs.PlaceContainerRequest(
        memory_mb=256, network_cidr=cidr, bridge=bridge, vlan=vlan or None, restricted=restricted
    )


async def test_the_network_is_checked_before_anything_is_made(inventory: Inventory) -> None:
    settings = inventory.containers._settings
    lab = UserNetwork(bridge="vmbr0", vlan=20, subnet="10.20.0.0/24", gateway="10.20.0.1")
    await settings.change_network(NetworkChanges(**vars(Network())), user_networks=[lab])
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
