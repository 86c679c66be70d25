"""Apps in a network without IPv4, on the simulated Proxmox."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import AddressTakenError
from tests.contract.inventory.conftest import Inventory, new_call
from tests.unit.pvesim.sim import Running, start


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("ipv6")
    topology = {"name": "six", "nodes": [{"name": "pve1"}], "dhcp": False, "ipv6": "2001:db8:7"}
    (folder / "t.json").write_text(json.dumps(topology))
    with start(folder, "--topology", str(folder / "t.json")) as running:
        yield running


async def find_address(inventory: Inventory, ref: cs.ContainerRef) -> str:
    found = await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())
    return str(found.ip_address)


async def test_an_app_has_the_advertised_address(inventory: Inventory) -> None:
    ref = await inventory.create()
    await inventory.start(ref)
    docker = [{"name": "docker0", "hwaddr": "02:42:00:00:00:01", "addresses": ["172.17.0.1/16"]}]
    inventory.sim.client.control("PUT", f"/containers/{ref.vmid}/interfaces", docker)
    assert await find_address(inventory, ref) == ""  # DHCP may still answer
    inventory.sim.client.control("POST", f"/containers/{ref.vmid}/age", {"seconds": 60})
    assert await find_address(inventory, ref) == f"2001:db8:7::{ref.vmid:x}:1"


async def test_a_chosen_ipv6_address_is_used_and_is_nobody_elses(inventory: Inventory) -> None:
    ref = await inventory.create("chosen", network_cidr="2001:db8:7::77/64", gateway="2001:db8:7::1")
    net0 = str(inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data["net0"])
    assert "ip6=2001:db8:7::77/64" in net0
    assert "gw6=2001:db8:7::1" in net0
    await inventory.start(ref, "chosen")
    assert await find_address(inventory, ref) == "2001:db8:7::77"
    with pytest.raises(AddressTakenError):
        await inventory.create("second", network_cidr="2001:db8:7:0::77/64")
