"""Parsers of the values of settings, each of which raises ValueError with what is wrong; and patches of values."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")

# What nats-py connects to.
_NATS_SCHEMES = ("nats", "tls", "ws", "wss")
_DATABASE_URL = re.compile(r"sqlite:///.+|postgres(ql)?(\+psycopg)?://.+", re.DOTALL)
_GRPC_TARGET = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract):.+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patch:
    """Changes of a value, by the names of its attributes; an attribute that is None stays as it is.

    Subclasses name the attributes, with None as their default.
    """

    @property
    def given(self) -> dict[str, Any]:
        """Return what changes, by attribute."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.given)

    def apply_to(self, value: T) -> T:
        """Return the value with these changes."""
        return dataclasses.replace(value, **self.given)

    def without_unchanged(self, value: object) -> Self:
        """Leave out what the value has already."""
        return type(self)(**{name: new for name, new in self.given.items() if new != getattr(value, name)})


def parse_bool(text: str) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off and the empty string, whatever the case.

    Raises:
        ValueError: anything else.
    """
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def parse_list(text: str) -> tuple[str, ...]:
    """Values separated by commas, without empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_networks(text: str) -> tuple[str, ...]:
    """Networks like 10.0.0.0/8, comma-separated.

    Raises:
        ValueError: one of them is none.
    """
    found = parse_list(text)
    for network in found:
        ipaddress.ip_network(network)
    return found


def parse_origins(text: str) -> tuple[str, ...]:
    """Origins as browsers send them, `https://host[:port]`, comma-separated.

    Raises:
        ValueError: one of them is none: `*` and `null` would admit the pages of every site.
    """
    return tuple(map(parse_origin, parse_list(text)))


def parse_origin(text: str) -> str:
    """One origin; a slash at its end is dropped.

    Raises:
        ValueError: see `parse_origins`.
    """
    origin = text.removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(
            f"{text!r} is no origin like https://console.example.org, which has no path and no *"
        )
    # Browsers send scheme and host in lower case, and origins are compared as text.
    return origin.lower()


def parse_dsn(text: str) -> str:
    """A DSN of Sentry, `https://key@host/project`.

    Raises:
        ValueError: it is none; what it holds is not said, as its key is a secret.
    """
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and parts.username and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or not parts.path.rpartition("/")[2].isdecimal():
        # The text is not repeated: its key is a credential.
        raise ValueError("is no DSN like https://key@host/1")
    return text


def parse_int(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return value

    return parse


def parse_database_url(text: str) -> str:
    """A URL of SQLite or PostgreSQL.

    Raises:
        ValueError: it is none; only its scheme is shown, as the rest may hold a password.
    """
    if not _DATABASE_URL.fullmatch(text):
        raise ValueError(
            f"{_show_scheme(text)}; must be sqlite:///PATH or postgresql://user:password@host:5432/name"
        )
    return text


def parse_nats_urls(text: str) -> str:
    """Servers of NATS, comma-separated: a URL or a mere host:port each.

    Raises:
        ValueError: one is none; passwords are not shown.
    """
    servers = parse_list(text)
    for server in servers:
        try:
            parts = urlsplit(server if "://" in server else f"nats://{server}")
            is_server = parts.scheme in _NATS_SCHEMES and parts.hostname and parts.port != 0
        except ValueError:
            is_server = False
        if not is_server:
            raise ValueError(f"{_show_scheme(server)}; must be nats://user:password@host:4222")
    if not servers:
        raise ValueError("names no server; must be nats://user:password@host:4222")
    return text


def _show_scheme(url: str) -> str:
    scheme, found, _ = url.partition("://")
    return f"begins with {scheme[:20]!r}" if found else "is no URL"


def parse_http_url(text: str) -> str:
    """An address of HTTP with a host.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError(f"{text!r} is no address like http://host:4318")
    return text


def parse_host_port(text: str) -> str:
    """An address to listen on, `host:port` or `[IPv6]:port`; port 0 is a free one.

    Raises:
        ValueError: it has no host, or no port from 0 to 65535.
    """
    host, _, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not is_bracketed) or not _is_port(port):
        raise ValueError(f"{text!r} is not host:port")
    return text


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= 65535


def parse_listen_address(text: str) -> str:
    """An address that a gRPC server listens on, `host:port` or `unix:/path`.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("unix:"):
        return text
    try:
        return parse_host_port(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither host:port nor unix:/path") from None


def parse_target(text: str) -> str:
    """An address of a gRPC server as gRPC names it: `host:port`, `unix:/path`, `dns:///host:port`, `ipv4:…`.

    Raises:
        ValueError: it is none.
    """
    # gRPC reports a wrong address at the first call only; here it is found at the start.
    if _GRPC_TARGET.fullmatch(text):
        return text
    try:
        return parse_host_port(text)
    except ValueError:
        raise ValueError(f"{text!r} is not host:port, unix:/path or dns:///host:port") from None


def parse_bind_address(text: str) -> str:
    """An IP address to listen on: Envoy resolves no names there.

    Raises:
        ValueError: it is none.
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no IP address to listen on, like 127.0.0.1 (this machine alone) or 0.0.0.0 (every network)"
        ) from None
    return text


def parse_folder(text: str) -> Path:
    """A folder that exists.

    Raises:
        ValueError: it does not.
    """
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"{text!r} is not a folder")
    return path
