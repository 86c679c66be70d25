"""Connection to an address that was checked, and to no other.

Between a check of a name and a connection by the name its address may change (DNS rebinding).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import SplitResult

Resolver = Callable[[str, int], list[str]]


def resolve_host(host: str, port: int) -> list[str]:
    """Return the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Return whether an address is global, seen through any IPv6 wrapping."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    # A private IPv4 address may be wrapped in an IPv6 address, which counts as global.
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return parsed.is_global and not parsed.is_multicast


class PinnedConnection:
    """HTTPS request to a checked address; certificate and Host header are those of the name."""

    def __init__(self, parts: SplitResult, address: str, *, context: ssl.SSLContext, deadline: float) -> None:
        self._parts = parts
        self._response: http.client.HTTPResponse | None = None
        left = max(deadline - time.monotonic(), 0.1)
        self._timeout = min(left, 30.0)  # seconds between two packets; the deadline limits the whole
        host, port = parts.hostname or "", parts.port or 443
        self._connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        raw = socket.create_connection((address, port), timeout=self._timeout)
        # TLS checks the certificate for the name, though the connection was made by address.
        try:
            self._connection.sock = context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def __enter__(self) -> PinnedConnection:
        return self

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def send_request(self) -> http.client.HTTPResponse:
        """Send the request and return the answer, its body unread."""
        target = self._parts.path or "/"
        if self._parts.query:
            target += f"?{self._parts.query}"
        headers = {"User-Agent": "proximity-catalog", "Accept": "*/*", "Accept-Encoding": "identity"}
        self._connection.request("GET", target, headers=headers)
        self._response = self._connection.getresponse()
        return self._response
