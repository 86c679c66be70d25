"""SSH addresses of nodes, as administrators set them: those that a cluster names may lead nowhere from here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from services.common.core.errors import InvalidError, invalid_field
from services.common.core.text import show_value
from services.inventory.domain.entities import check_address

MOST_NODES = 100  # Proxmox itself recommends at most 32 nodes to a cluster
_NODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PORTS = range(1, 65_536)


def parse_ssh_addresses(values: Mapping[str, object]) -> dict[str, str]:
    """Check `ssh_addresses` of a host: by node, an address with or without a port.

    Raises:
        InvalidError: a node's name or an address is none, or there are too many.
    """
    if len(values) > MOST_NODES:
        raise invalid_field("ssh_addresses", f"has more than {MOST_NODES} entries")
    found: dict[str, str] = {}
    for node, address in sorted(values.items()):
        if not _NODE.fullmatch(node):
            raise invalid_field("ssh_addresses", f"{node[:70]!r} is no name of a node")
        place = f"ssh_addresses.{node}"
        if not isinstance(address, str):
            raise invalid_field(
                place, f"{show_value(address)} is not text, such as 192.0.2.7 or 192.0.2.7:2222"
            )
        try:
            split_ssh_address(address, default_port=22)
        except InvalidError as error:
            raise invalid_field(place, error.violations[0].description) from error
        found[node] = address
    return found


def split_ssh_address(text: str, *, default_port: int) -> tuple[str, int]:
    """Split `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address into host and port.

    Raises:
        InvalidError: it is none of these.
    """
    host, port = text, str(default_port)
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not _is_address(host) or (rest and not rest.startswith(":")):
            raise invalid_field("host", f"{text[:80]!r} is no address; write [2001:db8::7]:2222")
        port = rest[1:] if rest else str(default_port)
    elif not _is_address(text) and ":" in text:
        host, _, port = text.rpartition(":")
        if ":" in host:
            raise invalid_field("host", f"{text[:80]!r} is no address; write [2001:db8::7]:2222")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) in _PORTS):
        raise invalid_field("host", f"{text[:80]!r} has no port from 1 to 65535 behind the colon")
    check_address(host)
    return host, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
