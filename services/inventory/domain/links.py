"""Network links of guests (netN) as their configurations describe them, and which of a guest's addresses to use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, IPv6Network, ip_interface
from typing import Any

Cidr = IPv4Interface | IPv6Interface
_LINK = re.compile(r"net(\d+)")
_RAW = re.compile(r"lxc\.net(?:work)?\.(\d+)\.(\S+)")
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_DYNAMIC = frozenset({"dhcp", "auto"})
_LOCAL = IPv6Network("fc00::/7")
# Interfaces that programs inside a guest make for themselves: their addresses cannot be reached from outside.
_INNER = re.compile(
    r"lo$|docker|br-|veth|tailscale|wg|tun|tap|virbr|lxcbr|lxdbr|incusbr|cni|cbr|flannel|cali|cilium|lxc_|vxlan|weave|kube|"
    r"nodelocaldns|nerdctl|podman|zt|nebula|dummy|ifb|sit|gre|erspan|ip6tnl|ip6_vti|ip_vti|utun|ppp|vnet|fwbr|fwpr|fwln"
)


@dataclass(frozen=True)
class NetworkSegment:
    """A network segment of a host: addresses on different ones have nothing to do with each other."""

    bridge: str
    vlan: int = 0

    def __str__(self) -> str:
        """As a person reads it: `vmbr0`, `vmbr0 VLAN 20`."""
        return f"{self.bridge} VLAN {self.vlan}" if self.vlan else self.bridge


@dataclass(frozen=True)
class Link:
    """One netN of a container or virtual machine.

    Attributes:
        number: N.
        name: of the interface inside; empty for virtual machines.
        hwaddr: in lower case; empty when it is not known.
        ip: an address with its network, dhcp, manual or empty.
        ip6: the same; auto too.
        gateways: of both families.
        is_down: whether it is switched off, so that its addresses are not in use.
    """

    number: int
    place: NetworkSegment
    name: str = ""
    hwaddr: str = ""
    ip: str = ""
    ip6: str = ""
    gateways: tuple[str, ...] = ()
    is_down: bool = False

    @property
    def is_routed(self) -> bool:
        """Whether other networks are probably reached through it: it has a gateway, or learns one."""
        return bool(self.gateways) or self.ip in _DYNAMIC or self.ip6 in _DYNAMIC

    def list_static(self) -> list[Cidr]:
        """The addresses that the configuration gives it, IPv4 first."""
        return [found for text in (self.ip, self.ip6) if (found := parse_cidr(text)) is not None]


@dataclass(frozen=True)
class Interface:
    """An interface inside a running guest."""

    name: str
    hwaddr: str = ""
    addresses: tuple[Cidr, ...] = field(default=())

    @property
    def is_inner(self) -> bool:
        """Whether a program inside made it for itself."""
        return bool(_INNER.match(self.name))


def parse_cidr(text: str) -> Cidr | None:
    """Parse an address with or without its network; None for anything else."""
    try:
        return ip_interface(text)
    except ValueError:
        return None


def parse_links(config: Mapping[str, Any]) -> list[Link]:
    """Parse netN and ipconfigN of a configuration, and raw `lxc.net` lines of a container; by number."""
    found = {number: _build_link(number, parts) for number, parts in _list_raw(config).items()}
    for key, value in config.items():
        if match := _LINK.fullmatch(key):
            number = int(match.group(1))
            parts = split_options(str(value)) | split_options(str(config.get(f"ipconfig{number}") or ""))
            found[number] = _build_link(number, parts)
    return [found[number] for number in sorted(found)]


def split_options(text: str) -> dict[str, str]:
    """Split an option such as `name=eth0,bridge=vmbr0,ip=dhcp` into its parts."""
    return {
        name: value for name, equals, value in (part.partition("=") for part in text.split(",")) if equals
    }


def render_options(options: Mapping[str, str]) -> str:
    """Join the parts of an option again."""
    return ",".join(f"{name}={value}" for name, value in options.items())


def _list_raw(config: Mapping[str, Any]) -> dict[int, dict[str, str]]:
    """Raw lines, which Proxmox lists as `[["lxc.net.0.link", "vmbr0"], …]`, with the names that netN has for them."""
    names = {
        "link": "bridge",
        "ipv4.address": "ip",
        "ipv6.address": "ip6",
        "ipv4.gateway": "gw",
        "ipv6.gateway": "gw6",
    }
    lines = config.get("lxc")
    found: dict[int, dict[str, str]] = {}
    for line in lines if isinstance(lines, list) else ():
        if not isinstance(line, list) or len(line) != 2:
            continue
        if match := _RAW.fullmatch(str(line[0])):
            name = names.get(match.group(2), match.group(2))
            found.setdefault(int(match.group(1)), {})[name] = str(line[1])
    return found


def _build_link(number: int, parts: Mapping[str, str]) -> Link:
    tag = parts.get("tag", "")
    macs = [value.lower() for value in parts.values() if _MAC.fullmatch(value.lower())]
    return Link(
        number=number,
        place=NetworkSegment(parts.get("bridge", ""), int(tag) if tag.isdigit() else 0),
        name=parts.get("name", ""),
        hwaddr=macs[0] if macs else "",
        ip=parts.get("ip", ""),
        ip6=parts.get("ip6", ""),
        gateways=tuple(parts[name] for name in ("gw", "gw6") if parts.get(name)),
        is_down=parts.get("link_down") == "1",
    )


def choose_address(interfaces: Sequence[Interface], links: Sequence[Link]) -> str:
    """Return the address under which a guest is reached; empty while it has none.

    An address of one of its own links: those with a gateway first, IPv4 before IPv6, then by number. Where the
    configuration has no link at all, that of any interface which no program inside made for itself.
    """
    # Containers of LXC without netN, configured by raw lines that were not understood.
    if not links:
        outer = [one for one in interfaces if not one.is_inner]
        return next((str(found.ip) for one in outer for found in sort_usable(one.addresses)), "")
    ranked = [
        ((not link.is_routed, address.version, link.number, index), str(address.ip))
        for link in links
        if not link.is_down
        for index, address in enumerate(_list_best(interfaces, link))
    ]
    return min(ranked)[1] if ranked else ""


def _list_best(interfaces: Sequence[Interface], link: Link) -> list[Cidr]:
    """The addresses of the interface that is a link most surely: a VLAN inside has the hardware address of its parent."""
    groups = (sort_usable(one.addresses) for one in _match(interfaces, link))
    found = next((each for each in groups if each), [])
    return _sort_configured(found, link)


def list_link_addresses(interfaces: Sequence[Interface], link: Link) -> list[Cidr]:
    """All usable addresses of a link inside the running guest, with those of interfaces on top of it."""
    addresses = [each for one in _match(interfaces, link) for each in sort_usable(one.addresses)]
    return _sort_configured(list(dict.fromkeys(addresses)), link)


def _sort_configured(addresses: Sequence[Cidr], link: Link) -> list[Cidr]:
    configured = {each.ip for each in link.list_static()}
    return sorted(addresses, key=lambda each: each.ip not in configured)


def _match(interfaces: Sequence[Interface], link: Link) -> Iterator[Interface]:
    """The interfaces that are a link: by hardware address, its own name first; by name where no hardware address fits."""
    same = [one for one in interfaces if link.hwaddr and one.hwaddr == link.hwaddr]
    same = [one for one in same if one.name == link.name or not one.is_inner]
    if not any(one.addresses for one in same):
        same += [one for one in interfaces if one.name == link.name and one not in same]
    yield from sorted(same, key=lambda one: one.name != link.name)


def sort_usable(addresses: Sequence[Cidr]) -> list[Cidr]:
    """The addresses that others can reach; those of a whole network and of public networks first."""
    usable = [
        each
        for each in addresses
        if not (each.ip.is_link_local or each.ip.is_multicast or each.ip.is_unspecified)
    ]
    return sorted(usable, key=_rank_address)


def _rank_address(address: Cidr) -> tuple[bool, bool]:
    """Virtual addresses that a cluster manager moves have a network of their own; unique local IPv6 follows global."""
    is_alone = address.network.num_addresses == 1
    return is_alone, address.version == 6 and address.ip in _LOCAL


def awaits_ipv4(links: Sequence[Link]) -> bool:
    """Whether a DHCP server may still give a guest an IPv4 address."""
    return any(link.ip == "dhcp" for link in links)
