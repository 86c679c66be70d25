"""What a deployment may decide about the gateway."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

OTLP_PORT = 4318  # of OTLP over HTTP
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Endpoint:
    """Where one replica of a service listens."""

    host: str  # name or address
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Parse `host:port` or `[v6]:port`.

        Raises:
            ValueError: there is no host or no port from 1 to 65535.
        """
        host, _, port = text.rpartition(":")
        host = host.strip("[]")
        if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError(f"{text!r} is not host:port")
        return cls(host, int(port))


Address = Endpoint | Path  # host and port, or a Unix socket


def parse_address(text: str) -> Address:
    """Parse `host:port` or `unix:/path`.

    Raises:
        ValueError: it is neither.
    """
    scheme, _, path = text.partition(":")
    if scheme != "unix":
        return Endpoint.parse(text)
    if not path.startswith("/"):
        raise ValueError(f"{text!r} is not unix:/path")
    return Path(path)


def parse_origin(text: str) -> str:
    """Parse `https://host[:port]`. Envoy takes `*` for every origin, which would let all pages read with cookies.

    Raises:
        ValueError: it is no origin.
    """
    if not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+", text):
        raise ValueError(f"{text!r} is no origin like https://console.example.org")
    return text


def parse_origins(text: str) -> tuple[str, ...]:
    """Parse origins separated by commas; an empty text has none.

    Raises:
        ValueError: see `parse_origin`.
    """
    return tuple(parse_origin(part.strip().removesuffix("/")) for part in text.split(",") if part.strip())


@dataclass(frozen=True)
class Collector:
    """Where traces are sent to: OTLP over HTTP, or over HTTPS with a certificate that the system's authorities signed."""

    endpoint: Endpoint
    path: str = ""  # before /v1/traces, without a slash at its end
    uses_tls: bool = False

    @property
    def url(self) -> str:
        """The address that spans are posted to."""
        host = f"[{self.endpoint.host}]" if ":" in self.endpoint.host else self.endpoint.host
        scheme = "https" if self.uses_tls else "http"
        return f"{scheme}://{host}:{self.endpoint.port}{self.path}/v1/traces"


def parse_collector(text: str) -> Collector | None:
    """Parse `http[s]://host[:port][/path]` or `host:port`, by default port 4318; None for an empty text.

    Raises:
        ValueError: it is neither.
    """
    if not text:
        return None
    scheme, found, _ = text.partition("://")
    if not found:
        return Collector(Endpoint.parse(text))
    parts = urlsplit(text)
    if scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is no address like http://host:4318")
    port = parts.port or (443 if scheme == "https" else OTLP_PORT)
    return Collector(Endpoint(parts.hostname, port), parts.path.rstrip("/"), scheme == "https")


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, PEM files."""

    chain: Path
    key: Path


@dataclass(frozen=True)
class UpstreamTls:
    """Mutual TLS to the services: each must show a certificate for its own name, signed by `ca`."""

    ca: Path
    certificate: Certificate


@dataclass(frozen=True)
class GatewaySettings:
    """One gateway.

    `endpoints` names every replica of every service (auth, inventory, apps, backups, catalog), `websockets` where the
    replicas of those that have WebSockets serve them; without an address these are not available. With `certificate` the
    same port speaks https as well as http.
    """

    endpoints: Mapping[str, tuple[Address, ...]]
    websockets: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    listen: Endpoint = Endpoint("0.0.0.0", 8000)  # noqa: S104 - the gateway is what the network is meant to reach
    admin: Address = Path(tempfile.gettempdir()) / "proximity-admin.sock"  # mode 600: it can end Envoy
    certificate: Certificate | None = None
    require_https: bool = False  # answer http with a redirect to https
    upstream_tls: UpstreamTls | None = None
    cors_origins: tuple[str, ...] = ()  # https://app.example.org, exactly
    trusted_proxies: int = 0  # how many proxies before us write x-forwarded-for
    static_dir: Path = STATIC
    access_log: str | None = None  # file name; /dev/stdout works; None: no log
    max_request_bytes: int = 2 * 1024 * 1024
    max_response_bytes: int = 16 * 1024 * 1024
    read_timeout_s: int = 15
    write_timeout_s: int = 30
    stream_idle_timeout_s: int = 3600  # of event streams
    idle_timeout_s: int = 120  # of everything else, when neither side sends
    request_timeout_s: int = 20  # to receive a whole request: 2 MiB at 1 Mbit/s; until then it takes a place
    headers_timeout_s: int = 10  # to receive its headers
    requests_per_second: int = 200  # per client address; 0: unlimited
    requests_burst: int = 1000
    max_connections: int = 10_000
    max_heap_bytes: int = 1024 * 1024 * 1024
    jwks_refresh_s: int = 60
    key_socket: str = ""  # Unix socket of the inner listener: a path, or a name in the abstract namespace
    reuse_port: bool = False
    traces: Collector | None = None  # collector of traces, OTLP over HTTP
    metrics: Endpoint | None = None  # where Prometheus reads Envoy's metrics; None: nowhere

    @property
    def inner_address(self) -> str:
        """The Unix socket on which the gateway answers itself: public keys, so an abstract one does where none is set."""
        if self.key_socket.startswith("/"):
            return self.key_socket
        admin = self.admin.name if isinstance(self.admin, Path) else self.admin.port
        return "@" + (self.key_socket or f"proximity-gateway-{self.listen.port}-{admin}")
