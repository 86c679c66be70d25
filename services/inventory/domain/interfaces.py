"""Protocols of the use cases: the store, Proxmox and access to containers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from services.inventory.domain.access import CommandOutput, ExecRoute
from services.inventory.domain.containers import View
from services.inventory.domain.entities import DefaultResources, Host, Network, NewHost, Node, Secrets
from services.inventory.domain.health import HealthReport
from services.inventory.domain.links import NetworkSegment
from services.inventory.domain.patches import DefaultResourceChanges, HostChanges, NetworkChanges
from services.inventory.domain.placement import Candidate
from services.inventory.domain.ports import PortProbe
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.scans import HostScan, ScannedContainer
from services.inventory.domain.user_networks import UserNetwork


class HostStore(Protocol):
    """Registered hosts, their secrets and their nodes."""

    async def list_hosts(self) -> list[Host]:
        """Return the hosts, the default one first, then by name."""

    async def get_host(self, host_id: int) -> Host:
        """Return one host, or raise HostNotFoundError."""

    async def get_secrets(self, host_id: int) -> Secrets:
        """Return the credentials of a host."""

    async def add_host(self, new: NewHost, *, request_id: str | None = None) -> Host:
        """Register a host; the same request_id registers once. Raises HostDuplicateError for a taken name."""

    async def update_host(self, host_id: int, changes: HostChanges) -> Host:
        """Change a host; raises HostDuplicateError or InvalidError."""

    async def delete_host(self, host_id: int) -> None:
        """Remove a host, or raise HostInUseError."""

    async def list_nodes(self, host_id: int | None = None) -> list[Node]:
        """Return the nodes of a host, or of all, as they were read last."""

    async def note_answer(
        self, host_id: int, *, version: str, found: Sequence[Node], exec_mode: str = ""
    ) -> None:
        """Record the nodes of a host that answered, and how commands get into its containers."""

    async def note_certificate(self, host_id: int, expires_at: datetime) -> None:
        """Record when the first certificate of a host's nodes expires."""

    async def note_silence(self, host_id: int, error: str) -> None:
        """Record that a host does not answer."""

    async def pin_fingerprint(self, host_id: int, fingerprint: str) -> Host:
        """Pin the certificate of a host, unless one is pinned already."""


class VmidStore(Protocol):
    """Reservations of container ids."""

    async def find_vmid(self, host_id: int, owner: str) -> int | None:
        """Return the id that an owner has reserved on a host, or None."""

    async def find_owner(self, host_id: int, vmid: int) -> str | None:
        """Return the owner of an id, or None."""

    async def list_owners(self, host_id: int) -> dict[int, str]:
        """Return the owners of a host's ids."""

    async def list_holders(self, *, before: datetime) -> list[tuple[int, str]]:
        """Return host and owner of the reservations made before a time."""

    async def list_reserved(self, prefix: str) -> list[tuple[int, int, str, datetime]]:
        """Return host, id, owner and time of the reservations of owners that begin with `prefix`."""

    async def reserve_vmid(self, host_id: int, owner: str, *, taken: AbstractSet[int]) -> int:
        """Reserve the lowest free id that is not in `taken`; the same owner always gets the same."""

    async def claim_vmid(self, host_id: int, vmid: int, *, owner: str, instead: bool = False) -> None:
        """Reserve an id that is in use, or raise VmidTakenError; `instead` of another that the owner has there."""

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """Release the id and the static addresses that an owner has reserved on a host, if any."""

    async def mark_copy(self, host_id: int, owner: str, *, is_copy: bool) -> None:
        """Record whether an owner's container has the addresses of its original."""

    async def is_copy(self, host_id: int, owner: str) -> bool:
        """Whether an owner's container has the addresses of its original."""

    async def list_copies(self, host_id: int) -> frozenset[int]:
        """Return the ids of the containers of a host that have the addresses of what they were copied from."""

    async def count(self) -> int:
        """Return the number of reserved ids."""


class AddressStore(Protocol):
    """Reservations of static addresses, by host, bridge and VLAN."""

    async def find_owner(self, host_id: int, place: NetworkSegment, *, address: str) -> str | None:
        """Return the owner of an address, or None."""

    async def find_address(
        self, host_id: int, place: NetworkSegment, *, owner: str, subnet: IPv4Network | IPv6Network
    ) -> str | None:
        """Return an address of a subnet that an owner has reserved, or None."""

    async def claim_address(self, host_id: int, place: NetworkSegment, *, owner: str, address: str) -> None:
        """Reserve a chosen address, or raise AddressTakenError."""

    async def reserve_address(
        self,
        host_id: int,
        place: NetworkSegment,
        *,
        owner: str,
        subnet: IPv4Network | IPv6Network,
        taken: Collection[str],
    ) -> str:
        """Reserve a free address of a subnet; the same owner gets the same again."""

    async def note_addresses(
        self, host_id: int, owner: str, *, found: Collection[tuple[NetworkSegment, str]]
    ) -> None:
        """Make an owner's reservations those that its container has."""


class SettingsStore(Protocol):
    """Defaults of deployments; each comes with the time of its last change."""

    async def get_resources(self) -> tuple[DefaultResources, datetime]:
        """Return the default resources."""

    async def change_resources(self, changes: DefaultResourceChanges) -> tuple[DefaultResources, datetime]:
        """Change the default resources."""

    async def get_network(self) -> tuple[Network, datetime]:
        """Return the default network."""

    async def list_user_networks(self) -> list[UserNetwork]:
        """Return the networks that users may choose besides it."""

    async def change_network(
        self, changes: NetworkChanges, *, user_networks: Sequence[UserNetwork] | None = None
    ) -> tuple[Network, datetime]:
        """Change the default network and, unless it is None, the list of the others."""


class ProxmoxFleet(Protocol):
    """Clients of all hosts, made anew when credentials change."""

    async def get_client(self, host_id: int) -> ProxmoxApi:
        """Return the client of an active host; raises HostNotFoundError or HostInactiveError."""

    async def get_client_of(self, host: Host) -> ProxmoxApi:
        """Return the client of a host that was just read."""

    async def open_client(self, host: Host) -> ProxmoxApi:
        """Return a client of its own for a host, to be closed by the caller."""

    def open_trial(self, new: NewHost, *, fingerprint: str) -> AbstractAsyncContextManager[Trial]:
        """Open connections to a host that is not registered, which are closed afterwards; nothing is stored.

        Args:
            new: its address and credentials.
            fingerprint: of its certificate, which it must show; empty: one that is trusted.
        """

    def forget(self, host_id: int) -> None:
        """Close the client of a host that was removed."""


@dataclass(frozen=True)
class Trial:
    """A client of a host that is not registered, and access to its containers."""

    client: ProxmoxApi
    access: ContainerAccess


class CandidateReader(Protocol):
    """Nodes of hosts as places for a new container."""

    async def list_candidates(self, host: Host) -> list[Candidate]:
        """Return the nodes of a host with what they offer; all offline when the host does not answer."""


class ContainerScanner(Protocol):
    """Containers of hosts with their owners."""

    async def scan(self, host: Host, *, with_addresses: bool, brief: bool) -> HostScan:
        """Return all containers of a host; `brief` for a user who waits: silent hosts get less time."""

    async def find_owned(
        self, host: Host, owner: str, *, hostname: str, timeout_s: float
    ) -> list[ScannedContainer]:
        """Return the containers of a host that carry an owner's marks, or raise HostUnreachableError."""


class PortProber(Protocol):
    """TCP ports of containers, tried from here."""

    async def probe(self, address: str, port: int, *, scheme: str, path: str) -> PortProbe:
        """Connect to a port; for http and https, request a path too."""


class HealthMonitor(Protocol):
    """The condition of the platform's parts."""

    async def check(self) -> HealthReport:
        """Return a report that is at most half a second old."""


class NodeSyncTrigger(Protocol):
    """The job that reads the nodes of all hosts."""

    def wake(self) -> None:
        """Read all hosts now."""


class ContainerAccess(Protocol):
    """Commands and files in containers."""

    async def find_route(self, client: ProxmoxApi, node: str = "", *, again: bool = False) -> ExecRoute:
        """Return how commands get into the containers of a node, or of a whole host; `again` tries anew."""

    async def find_pull_obstacle(self, client: ProxmoxApi) -> str:
        """Return the reason why the credentials cannot pull OCI images; empty when they can."""

    def stream(
        self, view: View, argv: Sequence[str], *, stdin: bytes = b"", stall_s: float, timeout_s: float
    ) -> AsyncIterator[str | int]:
        """Run a command without a shell: pieces of its output, then its exit code."""

    async def run(self, view: View, argv: Sequence[str], *, timeout_s: float) -> CommandOutput:
        """Run a command to its end."""

    async def run_on_node(
        self, client: ProxmoxApi, node: str, *, argv: Sequence[str], timeout_s: float
    ) -> CommandOutput:
        """Run a command on a node itself, which only SSH can."""

    async def push(self, view: View, *, path: str, content: bytes, mode: int) -> None:
        """Write a file, whole or not at all."""

    async def unlock(self, view: View) -> None:
        """Remove the lock of a creation that died, or raise ContainerLockedError."""
