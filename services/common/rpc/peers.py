"""Peers of connections, and the forwarded headers that they are trusted with."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.common.core.config import LOOPBACK
from services.common.core.errors import ForbiddenError
from services.common.rpc.call import Call
from services.common.rpc.tls import GATEWAY, find_peer_name

# Headers that decide about addresses and schemes; from anybody but a gateway they are a claim.
_FORWARDED = ("x-forwarded-", "x-envoy-", "x-real-ip")


class PeerRefusedError(ForbiddenError):
    """The peer's certificate is not that of who it says it is."""


@dataclass(frozen=True)
class Peers:
    """Identification of peers.

    Attributes:
        by_certificate: connections are mutual TLS; the certificate says who calls.
        gateways: networks of the gateways, where there are no certificates.
    """

    by_certificate: bool = False
    gateways: tuple[str, ...] = LOOPBACK

    def name(self, context: Any) -> str:
        """The name in the peer's certificate; empty without TLS."""
        return find_peer_name(context.auth_context()) if self.by_certificate else ""

    def is_gateway(self, name: str, peer: str) -> bool:
        """Whether a peer may say for whom it forwards."""
        return name == GATEWAY if self.by_certificate else _is_within(peer, self.gateways)

    def check(self, call: Call) -> None:
        """Refuse a call whose certificate does not fit its token; call it when the caller is known.

        A service speaks with its own certificate and its own token; only the gateway speaks for users.

        Raises:
            PeerRefusedError: it does not.
        """
        # A stolen token is of no use to a service that lacks the certificate of whom it names.
        wanted = call.caller.service or GATEWAY
        if self.by_certificate and call.peer_name != wanted:
            raise PeerRefusedError(
                f"the certificate of {call.peer_name or 'nobody'} may not speak for {wanted}"
            )


def drop_forwarded(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata without what only the gateway may say: whose address a call comes from, and how."""
    return {name: value for name, value in metadata.items() if not name.startswith(_FORWARDED)}


@lru_cache(maxsize=4096)
def _networks_have(host: str, networks: tuple[str, ...]) -> bool:
    address = ipaddress.ip_address(host)
    found: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network] = map(ipaddress.ip_network, networks)
    return any(address.version == network.version and address in network for network in found)


@lru_cache(maxsize=4096)
def _is_within(peer: str, networks: tuple[str, ...]) -> bool:
    """Whether gRPC's name of a peer (`ipv4:127.0.0.1:5000`, `ipv6:%5B::1%5D:5000`, `unix:…`) is in the networks."""
    kind, _, rest = peer.partition(":")
    # The socket's folder is readable by this user alone (mode 0700).
    if kind == "unix":
        return True
    host = rest.rpartition(":")[0].removeprefix("%5B").removesuffix("%5D").strip("[]")
    try:
        return _networks_have(host, networks)
    except ValueError:
        return False
