"""Networks that users may choose for their containers, and addresses that no container can have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network

from services.common.core.errors import InvalidError, invalid_field
from services.common.core.text import show_value, suggest
from services.inventory.domain.entities import Network

STATIC = "static"
DHCP = ("", "dhcp")
MOST_NETWORKS = 100  # of the settings; each deployment looks through all of them
_BRIDGE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_VLANS = range(1, 4095)
_POINT_TO_POINT = 2  # addresses of a network that has neither a network address nor a broadcast address
Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True)
class UserNetwork:
    """A bridge, with or without a VLAN, that users may choose.

    Attributes:
        vlan: its tag; 0 for none.
        subnet: in which static addresses may be chosen; empty for DHCP alone.
        gateway: in the subnet; empty for none.

    Raises:
        InvalidError: the field at fault is named as in `user_networks[]`.
    """

    bridge: str
    vlan: int = 0
    subnet: str = ""
    gateway: str = ""

    def __post_init__(self) -> None:
        if not _BRIDGE.fullmatch(self.bridge):
            raise invalid_field("bridge", f"{self.bridge[:40]!r} is no bridge of Proxmox, such as vmbr0")
        if self.vlan and self.vlan not in _VLANS:
            raise invalid_field("vlan", f"{self.vlan} is not between 1 and 4094")
        if self.gateway and not self.subnet:
            raise invalid_field("gateway", "needs a subnet that it is in")
        if not self.subnet:
            return
        try:
            subnet = ip_network(self.subnet)
        except ValueError as error:
            raise invalid_field("subnet", f"{self.subnet[:60]!r} is no subnet: {error}") from None
        if self.gateway and not _is_in(self.gateway, subnet):
            raise invalid_field("gateway", f"{self.gateway[:60]!r} is no address in {self.subnet}")

    def __str__(self) -> str:
        """As a person reads it: `vmbr0`, `vmbr0 VLAN 20`."""
        return f"{self.bridge} VLAN {self.vlan}" if self.vlan else self.bridge


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """Network that a deployment requests.

    Attributes:
        bridge: empty for the default one.
        vlan: 0 for none.
        cidr: a static address, `static` for any of the network, empty or `dhcp` for DHCP.
        is_restricted: whether only what users may choose is allowed.
    """

    bridge: str = ""
    vlan: int = 0
    cidr: str = ""
    is_restricted: bool = True


def choose_network(
    default: Network, others: Sequence[UserNetwork], *, request: NetworkRequest
) -> UserNetwork:
    """Return the network that a deployment gets, after the check of its address.

    Raises:
        InvalidError: users may not choose it, or no container can have the address.
    """
    bridge = request.bridge or default.default_bridge
    allowed = list_allowed(default, others)
    fitting = [each for each in allowed if (each.bridge, each.vlan) == (bridge, request.vlan)]
    if not fitting and request.is_restricted:
        field = "config.vlan" if any(each.bridge == bridge for each in allowed) else "config.bridge"
        requested = f"VLAN {request.vlan} of {bridge}" if request.vlan else f"{bridge} without a VLAN"
        names = ", ".join(dict.fromkeys(str(each) for each in allowed))
        raise invalid_field(
            field,
            f"{requested[:60]} is not for users, who may choose {names}; administrators allow others "
            "in POST /api/core/settings/network (user_networks)",
        )
    fitting = fitting or [UserNetwork(bridge=bridge, vlan=request.vlan)]
    if request.cidr in DHCP:
        return fitting[0]
    ranges = [each for each in fitting if each.subnet]
    if request.cidr == STATIC:
        if not ranges and request.is_restricted:
            raise invalid_field("config.network", f"{fitting[0]} has DHCP alone; leave `network` out")
        return ranges[0] if ranges else fitting[0]
    return _choose_for_address(
        request, fitting, ranges=ranges, allowed=allowed, servers=list_servers(default)
    )


def list_allowed(default: Network, others: Iterable[UserNetwork]) -> list[UserNetwork]:
    """The networks that users may choose, the default one first."""
    first = UserNetwork(
        bridge=default.default_bridge,
        subnet=str(ip_network(default.default_subnet, strict=False)),
        gateway=default.default_gateway,
    )
    return [first, *(each for each in others if each != first)]


def list_servers(default: Network) -> list[str]:
    """The name servers of containers."""
    return [each for each in (default.default_dns_primary, default.default_dns_secondary) if each]


def find_special(address: Address) -> str:
    """Say why no container can have an address on its network, as an adjective; empty when one can."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return find_special(mapped) or "IPv4-mapped"
    for kind in ("unspecified", "loopback", "link_local", "multicast"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    if isinstance(address, IPv4Address) and (address.is_reserved or address in ip_network("0.0.0.0/8")):
        return "reserved"
    return ""


def _choose_for_address(
    request: NetworkRequest,
    fitting: Sequence[UserNetwork],
    *,
    ranges: Sequence[UserNetwork],
    allowed: Sequence[UserNetwork],
    servers: Collection[str],
) -> UserNetwork:
    try:
        chosen = ip_interface(request.cidr)
    except ValueError:
        raise invalid_field("network_cidr", f"{request.cidr[:60]!r} is no address with its network") from None
    address, network = chosen.ip, chosen.network
    if kind := find_special(address):
        raise invalid_field("network_cidr", f"{address} is {kind}: no container can have it")
    for subnet in (network, *(ip_network(each.subnet) for each in allowed if each.subnet)):
        if fault := _find_edge(address, subnet):
            raise invalid_field("network_cidr", f"{address} is the {fault} of {subnet}")
    if any(each.gateway and ip_address(each.gateway) == address for each in allowed):
        raise invalid_field("network_cidr", f"{address} is the address of a gateway")
    if any(ip_address(each) == address for each in servers):
        raise invalid_field("network_cidr", f"{address} is the address of a name server")
    found = next((each for each in ranges if ip_network(each.subnet) == network), None)
    if found is None and request.is_restricted:
        subnets = " or ".join(each.subnet for each in ranges) or "none: it has DHCP alone"
        raise invalid_field(
            "network_cidr", f"{chosen} is in no subnet that users may choose on {fitting[0]} ({subnets})"
        )
    return found or fitting[0]


def _find_edge(address: Address, subnet: Subnet) -> str:
    if address not in subnet or subnet.num_addresses <= _POINT_TO_POINT:
        return ""
    if address == subnet.network_address:
        return "network address"
    is_last = subnet.version == 4 and address == subnet.broadcast_address
    return "broadcast address" if is_last else ""


def _is_in(text: str, subnet: Subnet) -> bool:
    try:
        return ip_address(text) in subnet
    except ValueError:
        return False


def parse_networks(rows: Iterable[object]) -> Iterator[UserNetwork]:
    """Read `user_networks` of a request.

    Raises:
        InvalidError: an entry is none, has an unknown key, or a value that is none.
    """
    for index, row in enumerate(rows):
        place = f"user_networks[{index}]"
        if index >= MOST_NETWORKS:
            raise invalid_field("user_networks", f"has more than {MOST_NETWORKS} entries")
        if not isinstance(row, dict):
            raise invalid_field(
                place, f"{show_value(row)} is no object with bridge, vlan, subnet and gateway"
            )
        yield _parse_network(row, place)


def _parse_network(row: dict[str, object], place: str) -> UserNetwork:
    known = ("bridge", "vlan", "subnet", "gateway")
    values: dict[str, object] = {}
    for key, value in row.items():
        if key not in known:
            raise invalid_field(f"{place}.{key[:40]}", f"is not known; {suggest(key, known)}")
        if value is None:
            continue
        if key == "vlan":
            if isinstance(value, bool) or not isinstance(value, int | float) or value not in _VLANS:
                raise invalid_field(
                    f"{place}.vlan", f"{show_value(value)} is not a whole number from 1 to 4094"
                )
            values[key] = int(value)
        elif isinstance(value, str):
            values[key] = value
        else:
            raise invalid_field(f"{place}.{key}", f"{show_value(value)} is not text")
    if "bridge" not in values:
        raise invalid_field(f"{place}.bridge", "is required")
    try:
        network = UserNetwork(**values)  # type: ignore[arg-type]  # each was checked above
    except InvalidError as error:
        [fault] = error.violations
        raise invalid_field(f"{place}.{fault.field}", fault.description) from error
    if network.subnet and (kind := find_special(ip_network(network.subnet).network_address)):
        fault_of = f"{network.subnet} has {kind} addresses, which no container can have"
        raise invalid_field(f"{place}.subnet", fault_of)
    return network
