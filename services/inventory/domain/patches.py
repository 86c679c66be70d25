"""Changes of hosts, settings and containers; what is None stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.common.core.errors import InvalidError, Violation
from services.common.core.parsing import Patch
from services.inventory.domain.entities import Host

# What the secrets of a host are bound to.
DESTINATION = ("host", "port", "ssh_port", "verify_ssl", "fingerprint", "ssh_addresses")


@dataclass(frozen=True, kw_only=True)
class HostChanges(Patch):
    """Changes of a host; its secrets are never shown.

    Attributes:
        is_default: True makes it the default; another one stops being it then.
    """

    name: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token_id: str | None = None
    token_secret: str | None = field(default=None, repr=False)
    ssh_port: int | None = None
    ssh_key: str | None = field(default=None, repr=False)
    ssh_addresses: Mapping[str, str] | None = None
    verify_ssl: bool | None = None
    fingerprint: str | None = None
    is_default: bool | None = None
    is_active: bool | None = None


@dataclass(frozen=True, kw_only=True)
class DefaultResourceChanges(Patch):
    """Changes of the resources of deployments that name none."""

    default_cpu_cores: int | None = None
    default_memory_mb: int | None = None
    default_disk_gb: int | None = None
    default_swap_mb: int | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkChanges(Patch):
    """Changes of the network that containers get by default."""

    default_subnet: str | None = None
    default_gateway: str | None = None
    default_dns_primary: str | None = None
    default_dns_secondary: str | None = None
    default_bridge: str | None = None


@dataclass(frozen=True, kw_only=True)
class ContainerOptions(Patch):
    """Changes of options of a container's configuration."""

    memory_mb: int | None = None
    cores: int | None = None
    swap_mb: int | None = None
    hostname: str | None = None
    entrypoint: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArchiveChanges(Patch):
    """Changes of an archive of a backup."""

    notes: str | None = None
    protected: bool | None = None


def check_destination(current: Host, changes: HostChanges, *, stored: Collection[str]) -> None:
    """Refuse to send stored secrets to another destination than the one that they were given for.

    Args:
        current: the host as it is stored.
        changes: to it.
        stored: names of the secrets that it has.

    Raises:
        InvalidError: the destination changes, and a stored secret is not given anew.
    """
    # A changed address would send the stored password to another server.
    given = changes.given
    moved = [name for name in DESTINATION if name in given and given[name] != getattr(current, name)]
    missing = [name for name in stored if name not in given]
    if not moved or not missing:
        return
    fault = f"is required again: {', '.join(moved)} changes where it is sent, and how the host is verified"
    raise InvalidError(f"{missing[0]}: {fault}", violations=[Violation(name, fault) for name in missing])
