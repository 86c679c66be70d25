"""Hosts, nodes and settings as values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import asyncssh

from services.common.core.errors import InvalidError, Violation, invalid_field
from services.common.core.text import MASK, find_control

DEFAULT_PORT = 8006  # TCP; of the API of Proxmox VE
DEFAULT_SSH_PORT = 22  # TCP
DEFAULT_USER = "root@pam"
_HOST_NAME = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)


@dataclass(frozen=True)
class Secrets:
    """Credentials of a host; never shown."""

    password: str = field(default="", repr=False)
    token_secret: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Host:
    """A Proxmox VE server, or a cluster known by one of its nodes.

    Attributes:
        ssh_addresses: of the SSH servers by node, set by an administrator.
    """

    id: int
    name: str
    host: str
    port: int
    user: str
    ssh_port: int
    verify_ssl: bool
    fingerprint: str
    token_id: str
    is_active: bool
    is_default: bool
    status: str
    version: str
    last_error: str
    last_seen: datetime | None
    created_at: datetime
    updated_at: datetime
    exec_mode: str = "none"
    ssh_addresses: Mapping[str, str] = field(default_factory=dict)
    certificate_expires_at: datetime | None = None


def guess_exec_mode(user: str, *, has_password: bool, has_ssh_key: bool) -> str:
    """Guess the route of commands into containers from the credentials, before it was tried: ssh or console."""
    return "ssh" if has_ssh_key or (has_password and user == DEFAULT_USER) else "console"


@dataclass(frozen=True, kw_only=True)
class NewHost:
    """A host to register; complete and consistent.

    Raises:
        InvalidError: no address, no credentials, or half of them.
    """

    name: str
    host: str
    port: int = DEFAULT_PORT
    user: str = DEFAULT_USER
    ssh_port: int = DEFAULT_SSH_PORT
    verify_ssl: bool = True
    fingerprint: str = ""
    token_id: str = ""
    is_default: bool = False
    secrets: Secrets = Secrets()
    ssh_addresses: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_address(self.host)
        check_credentials(self.token_id, self.secrets)


def check_address(host: str) -> None:
    """Refuse what is neither a host name nor an IP address.

    Raises:
        InvalidError: it has a port, or is no name.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # The most frequent mistake is an address with its port.
        name, colon, port = host.rpartition(":")
        if colon and port.isdigit():
            raise invalid_field(
                "host", f"{host[:80]!r} has a port; give {name[:80]!r} as host and {port[:5]} as port"
            ) from None
        if not _HOST_NAME.fullmatch(host) or host.rstrip(".").rpartition(".")[2].isdigit():
            raise invalid_field("host", f"{host[:80]!r} is neither a host name nor an IP address") from None


def check_credentials(token_id: str, secrets: Secrets) -> None:
    """Refuse credentials that cannot sign in.

    Raises:
        InvalidError: neither a password nor a token, a token without its other half, a key that cannot be read, or
            a line break or other control in any of them, as at the end of a file.
    """
    for name, value in (("password", secrets.password), ("token_secret", secrets.token_secret)):
        if value == MASK:
            raise invalid_field(
                name, f"{MASK} stands for a secret that is not shown; send the secret, or leave it out"
            )
    for name, value in (("password", secrets.password), ("token_id", token_id)):
        if found := find_control(value):
            raise invalid_field(name, f"must not contain the control character {found}")
    if re.search(r"[^\x21-\x7e]", secrets.token_secret):
        fault = "must be copied without white space, line breaks and other characters that no token has"
        raise invalid_field("token_secret", fault)
    if secrets.ssh_key:
        check_ssh_key(secrets.ssh_key)
    if bool(token_id) != bool(secrets.token_secret):
        missing = "token_secret" if token_id else "token_id"
        raise invalid_field(missing, "an API token needs both token_id and token_secret")
    if not secrets.password and not token_id:
        raise InvalidError(
            "password: a password, or token_id and token_secret, is required",
            violations=[Violation("password", "a password, or token_id and token_secret, is required")],
        )


def check_ssh_key(text: str) -> None:
    """Refuse a private key that could never sign in; it is not shown.

    Raises:
        InvalidError: it is no private key, or one under a passphrase.
    """
    try:
        # The same parser that signs in later, so that what it accepts here works there.
        asyncssh.import_private_key(text)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise invalid_field("ssh_key", "is no private key without a passphrase") from error


def full_token_id(user: str, token_id: str) -> str:
    """Return `user@realm!name` for a token given by its full name or its name alone."""
    return token_id if not token_id or "!" in token_id else f"{user}!{token_id}"


@dataclass(frozen=True)
class Allocation:
    """Sums over guests: CPUs, and bytes of memory and root disks."""

    cpus: float
    memory: float
    disk: float


@dataclass(frozen=True)
class Node:
    """A node as last seen; sizes in bytes, uptime in seconds.

    Attributes:
        allocated: what its guests may use together, running or not; None: read by a release that did not count it.
    """

    host_id: int
    name: str
    status: str
    cpu_count: int = 0
    cpu_usage: float = 0.0
    memory_total: float = 0.0
    memory_used: float = 0.0
    storage_total: float = 0.0
    storage_used: float = 0.0
    uptime: float = 0.0
    ip_address: str = ""
    pve_version: str = ""
    lxc_count: int = 0
    fingerprint: str = ""
    architecture: str = ""
    allocated: Allocation | None = None
    id: int = 0
    host_name: str = ""
    last_updated: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DefaultResources:
    """Resources of deployments that name none."""

    default_cpu_cores: int = 2
    default_memory_mb: int = 2048
    default_disk_gb: int = 20
    default_swap_mb: int = 512


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network that containers get by default.

    Raises:
        InvalidError: something is no address, or the gateway is not in the subnet.
    """

    default_subnet: str = "10.0.0.0/24"
    default_gateway: str = "10.0.0.1"
    default_dns_primary: str = "8.8.8.8"
    default_dns_secondary: str = "8.8.4.4"
    default_bridge: str = "vmbr0"

    def __post_init__(self) -> None:
        subnet = _parse_subnet(self.default_subnet)
        gateway = _parse_address("default_gateway", self.default_gateway)
        if gateway not in subnet:
            raise invalid_field("default_gateway", f"{gateway} is not in the subnet {subnet}")
        _parse_address("default_dns_primary", self.default_dns_primary)
        if self.default_dns_secondary:
            _parse_address("default_dns_secondary", self.default_dns_secondary)


def _parse_subnet(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise invalid_field("default_subnet", f"{text!r} is no network in CIDR notation") from None


def _parse_address(name: str, text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise invalid_field(name, f"{text!r} is no IP address") from None
