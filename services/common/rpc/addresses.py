"""Addresses of clients: without ports, and as the networks that limits count."""

from __future__ import annotations

import ipaddress


def parse_address(address: str) -> str:
    """The address without the port that gRPC shows for direct peers."""
    text = address
    for prefix in ("ipv4:", "ipv6:"):
        if text.startswith(prefix):
            text = text.removeprefix(prefix).rpartition(":")[0]
    return text.replace("%5B", "").replace("%5D", "").strip("[]")[:100]


def parse_network(address: str) -> str:
    """Whom a limit per address counts: the address, of IPv6 the /64 that one customer has."""
    text = parse_address(address)
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    return text if parsed.version == 4 else str(ipaddress.ip_network(f"{parsed}/64", strict=False))
