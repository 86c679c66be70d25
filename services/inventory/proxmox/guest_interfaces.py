"""Interfaces inside running guests, and the addresses under which guests are reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.links import (
    Cidr,
    Interface,
    awaits_ipv4,
    choose_address,
    parse_cidr,
    parse_links,
)
from services.inventory.domain.proxmox_api import ProxmoxApi

# A guest has an IPv6 address from router advertisements a second after its boot; DHCP takes four, or ten when its first
# packet is lost. Until then it has no address, so that apps do not get the one that is there first.
_IPV4_WAIT_S = 10.0


async def find_address(
    client: ProxmoxApi, node: str, *, vmid: int, config: Mapping[str, Any], uptime: float | None = None
) -> str:
    """Return the address of a running container on one of its own links; empty while it has none.

    Args:
        client: of the host.
        node: that the container is on.
        vmid: of the container.
        config: its configuration.
        uptime: seconds since it started; None when it is not known.
    """
    links = parse_links(config)
    address = choose_address(await read_interfaces(client, node, vmid=vmid), links)
    if ":" in address and uptime is not None and uptime < _IPV4_WAIT_S and awaits_ipv4(links):
        return ""
    return address


async def read_interfaces(client: ProxmoxApi, node: str, *, vmid: int) -> list[Interface]:
    """Read the interfaces inside a container; none where Proxmox does not say."""
    try:
        rows = await client.get(f"/nodes/{node}/lxc/{vmid}/interfaces")
    except DomainError:
        return []
    return parse_interfaces(rows or ())


async def read_machine_interfaces(client: ProxmoxApi, node: str, *, vmid: int) -> list[Interface]:
    """Read the interfaces inside a virtual machine from its guest agent; none where no agent answers."""
    try:
        found = await client.get(f"/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces")
    except DomainError:
        return []
    rows = found.get("result")
    return parse_interfaces(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else []


def parse_interfaces(rows: Iterable[Mapping[str, Any]]) -> list[Interface]:
    """Parse interfaces as Proxmox lists them for containers and virtual machines; what is no address is left out."""
    return [
        Interface(
            str(row.get("name") or "").partition("@")[0],
            str(row.get("hwaddr") or row.get("hardware-address") or "").lower(),
            _parse_addresses(row),
        )
        for row in rows
    ]


def _parse_addresses(row: Mapping[str, Any]) -> tuple[Cidr, ...]:
    texts = [
        text for name in ("inet", "inet6") for text in str(row.get(name) or "").replace(",", " ").split()
    ]
    listed = row.get("ip-addresses")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("ip-address"):
            prefix = each.get("prefix")
            texts.append(
                f"{each['ip-address']}/{prefix}" if prefix not in (None, "") else str(each["ip-address"])
            )
    found = [address for text in texts if (address := parse_cidr(text.partition("%")[0])) is not None]
    return tuple(dict.fromkeys(found))
