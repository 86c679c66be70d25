"""Which address of a guest is used: one of its own links, whatever programs inside made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from services.inventory.domain.links import Link, NetworkSegment, choose_address, parse_links
from services.inventory.proxmox.guest_interfaces import parse_interfaces

MAC = "bc:24:11:00:00:01"
ETH0 = "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp"
LO = {"name": "lo", "inet": "127.0.0.1/8", "inet6": "::1/128", "hwaddr": "00:00:00:00:00:00"}
DOCKER = {"name": "docker0", "inet": "172.17.0.1/16", "hwaddr": "02:42:00:00:00:01"}
COMPOSE = {"name": "br-0a1b2c3d4e5f", "inet": "172.18.0.1/16", "hwaddr": "02:42:00:00:00:02"}
TAILSCALE = {"name": "tailscale0", "inet": "100.64.0.7/32", "inet6": "fd7a:115c:a1e0::7/128"}
WIREGUARD = {"name": "wg0", "inet": "10.8.0.1/24"}
VETH = {"name": "veth12ab@if7", "inet6": "fe80::1/64", "hwaddr": "ea:00:00:00:00:01"}
INNER = [LO, DOCKER, COMPOSE, TAILSCALE, WIREGUARD, VETH]


def eth(
    name: str = "eth0", mac: str = MAC, *, cidrs: Sequence[dict[str, Any]] = (), **values: Any
) -> dict[str, Any]:
    return {"name": name, "hwaddr": mac, "ip-addresses": list(cidrs), **values}


def listed(*cidrs: str) -> list[dict[str, Any]]:
    pairs = [cidr.split("/") for cidr in cidrs]
    return [{"ip-address": address, "prefix": prefix} for address, prefix in pairs]


def choose(rows: list[dict[str, Any]], **config: Any) -> str:
    return choose_address(parse_interfaces(rows), parse_links(config))


@pytest.mark.parametrize(
    ("own", "config", "address"),
    [
        (eth(inet="192.168.1.7/24", inet6="2001:db8::7/64"), {"net0": ETH0}, "192.168.1.7"),
        (eth(inet6="2001:db8:7::5/64"), {"net0": ETH0}, "2001:db8:7::5"),
        (eth(inet6="fe80::be24:11ff:fe00:1/64"), {"net0": ETH0}, ""),
        (eth(inet="169.254.3.4/16"), {"net0": ETH0}, ""),
        (eth(inet="169.254.3.4/16", inet6="2001:db8::7/64"), {"net0": ETH0}, "2001:db8::7"),
        (eth(), {"net0": ETH0}, ""),
        (eth("eth0@if42", inet="10.0.0.9/24"), {"net0": ETH0}, "10.0.0.9"),
        (eth("lan0", inet="10.0.0.9/24"), {"net0": ETH0}, "10.0.0.9"),
        (eth(mac="BC:24:11:00:00:99", inet="10.0.0.9/24"), {"net0": ETH0}, "10.0.0.9"),
        (
            eth(cidrs=listed("fe80::1/64", "fd00::9/64", "2001:db8::9/64")),
            {"net0": ETH0},
            "2001:db8::9",
        ),
        (eth(cidrs=listed("10.0.0.250/32", "10.0.0.9/24")), {"net0": ETH0}, "10.0.0.9"),
        (
            eth(cidrs=listed("10.0.0.8/24", "10.0.0.9/24")),
            {"net0": ETH0.replace("dhcp", "10.0.0.9/24")},
            "10.0.0.9",
        ),
        (eth(inet="10.0.0.9/24"), {}, "10.0.0.9"),
        (eth(inet="10.0.0.9/24"), {"net0": f"{ETH0},link_down=1"}, ""),
        (
            eth(inet="10.0.0.9/24"),
            {"lxc": [["lxc.net.0.name", "eth0"], ["lxc.net.0.link", "vmbr0"]]},
            "10.0.0.9",
        ),
    ],
)
def test_a_guest_is_reached_at_its_own_link(
    own: dict[str, Any], config: dict[str, Any], address: str
) -> None:
    assert choose([*INNER, own], **config) == address
    assert choose([own, *reversed(INNER)], **config) == address


def test_an_interface_on_top_of_a_link_comes_after_it() -> None:
    vlan = eth("eth0.20", inet="10.20.0.9/24")
    assert choose([vlan, eth(inet6="2001:db8::9/64")], net0=ETH0) == "2001:db8::9"
    assert choose([vlan, eth()], net0=ETH0) == "10.20.0.9"
    bridge = eth("br0", inet="192.168.1.9/24")
    assert choose([eth(), bridge, DOCKER], net0=ETH0) == "192.168.1.9"


def test_no_address_of_a_program_inside_is_taken() -> None:
    assert choose(INNER, net0=ETH0) == ""
    assert choose(INNER) == ""


def test_a_link_that_leads_further_comes_first() -> None:
    storage = "name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:02,ip=10.99.0.9/24"
    home = "name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=192.168.1.9/24,gw=192.168.1.1"
    rows = [eth(mac="bc:24:11:00:00:02", inet="10.99.0.9/24"), eth("eth1", inet="192.168.1.9/24"), *INNER]
    for order in permutations(rows[:3]):
        assert choose(list(order), net0=storage, net1=home) == "192.168.1.9"
        assert choose(list(order), net1=home.replace(",gw=192.168.1.1", ""), net0=storage) == "10.99.0.9"


def test_links_of_virtual_machines_have_cloud_init_addresses() -> None:
    config = {
        "net0": "virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,firewall=1,tag=20",
        "ipconfig0": "ip=10.20.0.5/24,gw=10.20.0.1,ip6=2001:db8::5/64",
        "net1": "e1000=BC:24:11:AA:BB:CD,bridge=vmbr1",
    }
    first, second = parse_links(config)
    assert (first.place, first.hwaddr, first.gateways) == (
        NetworkSegment("vmbr0", 20),
        "bc:24:11:aa:bb:cc",
        ("10.20.0.1",),
    )
    assert [str(one) for one in first.list_static()] == ["10.20.0.5/24", "2001:db8::5/64"]
    assert second == Link(1, NetworkSegment("vmbr1"), hwaddr="bc:24:11:aa:bb:cd")


def test_odd_texts_are_no_addresses() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "eth0", "inet": "nothing", "ip-addresses": [None, {"ip-address": "x"}, {"prefix": 3}]},
        {"name": "", "inet6": "fe80::1%eth0/64"},
    ]
    assert choose(rows, net0=ETH0) == ""
    assert parse_links({"net0": "", "net1": None, "netx": "a=b", "lxc": [["lxc.net.0"], 4]}) == [
        Link(0, NetworkSegment("")),
        Link(1, NetworkSegment("")),
    ]
