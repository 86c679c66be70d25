"""Nodes as they are now."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from cryptography import x509

from services.common.core.errors import DomainError
from services.inventory.domain.access import ClusterEndpoint
from services.inventory.domain.entities import Allocation, Node
from services.inventory.domain.errors import HostUnreachableError, ProxmoxRefusedError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.templates import parse_architecture
from services.inventory.proxmox.refusals import explain, unexpected

_PROBE_TIMEOUT_S = 5.0  # one handshake
_MEMORY_S = 30.0  # how long the nodes' addresses count: they change when a node joins
OLDEST_RELEASE = 8  # README.md promises 8 and newer


@dataclass(frozen=True)
class ClusterMembers:
    """The nodes of a host as its cluster names them.

    Attributes:
        addresses: by node; those of the cluster's own network, which may lead nowhere from here.
        local: the node that answers; empty where that is not known.
        online: the nodes that are up.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    local: str = ""
    online: tuple[str, ...] = ()


# By client, as each has its own cluster; forgotten with it.
_architectures: WeakKeyDictionary[ProxmoxApi, dict[str, str]] = WeakKeyDictionary()
_members: WeakKeyDictionary[ProxmoxApi, tuple[float, str, ClusterMembers]] = WeakKeyDictionary()
_member_locks: WeakKeyDictionary[ProxmoxApi, asyncio.Lock] = WeakKeyDictionary()


async def find_architecture(client: ProxmoxApi, node: str) -> str:
    """Return the architecture of a node in Debian's words, read once; empty where Proxmox does not say."""
    known = _architectures.setdefault(client, {})
    if node not in known:
        try:
            status = await client.get(f"/nodes/{node}/status")
        except ProxmoxRefusedError:  # credentials without Sys.Audit
            return ""
        kernel = status.get("current-kernel")
        machine = kernel.get("machine") if isinstance(kernel, dict) else ""
        known[node] = parse_architecture(str(machine)) if machine else ""
    return known[node]


async def list_architectures(client: ProxmoxApi, nodes: Sequence[str]) -> dict[str, str]:
    """Return the architectures of nodes that are online, by name; without those that do not answer."""
    answers = await asyncio.gather(
        *(find_architecture(client, node) for node in nodes), return_exceptions=True
    )
    return {node: answer for node, answer in zip(nodes, answers, strict=True) if isinstance(answer, str)}


async def read_nodes(client: ProxmoxApi) -> tuple[str, list[Node]]:
    """Read the version and all nodes of a host or cluster, by four calls however many nodes there are.

    The first time, it also reads the status of each node that is online, for its architecture.

    Raises:
        DomainError: as `ProxmoxApi.get`.
    """
    release, resources, status, listed = await asyncio.gather(
        read_version(client),
        client.get("/cluster/resources"),
        read_members(client),
        client.get("/nodes"),
    )
    prints = {str(one["node"]): str(one.get("ssl_fingerprint") or "") for one in listed}
    host_id = client.access.host_id
    containers: dict[str, int] = {}
    storages: dict[str, tuple[float, float]] = {}
    for one in resources:
        if one.get("type") == "lxc":
            containers[one["node"]] = containers.get(one["node"], 0) + 1
        if (
            one.get("type") == "storage"
            and one.get("status") == "available"
            and not int(one.get("shared") or 0)
        ):
            used, total = storages.get(one["node"], (0.0, 0.0))
            storages[one["node"]] = (
                used + float(one.get("disk") or 0),
                total + float(one.get("maxdisk") or 0),
            )
    found = [one for one in resources if one.get("type") == "node"]
    online = [str(one["node"]) for one in found if one.get("status") == "online"]
    architectures = await list_architectures(client, online)
    return release, [
        replace(
            _build_node(one, host_id, facts=(storages, containers, status.addresses, prints, release)),
            architecture=architectures.get(str(one["node"]), ""),
            allocated=_sum_guests(resources, str(one["node"])),
        )
        for one in found
    ]


async def read_version(client: ProxmoxApi) -> str:
    """Read the version of Proxmox VE, as 9.2.3.

    Raises:
        HostAnswerUnexpectedError: it is that of another product, as of a Proxmox Backup Server.
    """
    found = await client.get("/version")
    version, release = str(found["version"]), str(found.get("release") or "")
    if not re.fullmatch(r"\d+\.\d+[0-9A-Za-z.~+-]{0,30}", version) or not version.startswith(release):
        product = ValueError(
            f"version {version[:30]!r} of release {release[:30]!r}, as a Proxmox Backup Server or another product"
        )
        raise unexpected(product, client.access, method="get", path="/version")
    return version


def describe_age(version: str) -> str:
    """A warning about a release that is not supported any more; empty for the others."""
    if int(version.partition(".")[0]) >= OLDEST_RELEASE:
        return ""
    return f"Proxmox VE {version} is not supported; {OLDEST_RELEASE}.0 or newer is needed"


def _sum_guests(resources: Sequence[Mapping[str, Any]], node: str) -> Allocation:
    """Sum what the guests of a node may use; templates use nothing but their disks, which their clones count."""
    guests = [
        one
        for one in resources
        if one.get("type") in {"lxc", "qemu"}
        and one.get("node") == node
        and not int(one.get("template") or 0)
    ]
    cpus, memory, disk = (
        sum(float(one.get(name) or 0) for one in guests) for name in ("maxcpu", "maxmem", "maxdisk")
    )
    return Allocation(cpus, memory, disk)


def _build_node(one: dict[str, Any], host_id: int, *, facts: tuple[Any, Any, Any, Any, str]) -> Node:
    storages, containers, addresses, prints, release = facts
    name = str(one["node"])
    used, total = storages.get(name, (float(one.get("disk") or 0), float(one.get("maxdisk") or 0)))
    return Node(
        host_id=host_id,
        name=name,
        status={"online": "online", "offline": "offline"}.get(str(one.get("status")), "unknown"),
        cpu_count=int(one.get("maxcpu") or 0),
        cpu_usage=float(one.get("cpu") or 0.0),
        memory_total=float(one.get("maxmem") or 0),
        memory_used=float(one.get("mem") or 0),
        storage_total=total,
        storage_used=used,
        uptime=float(one.get("uptime") or 0),
        ip_address=addresses.get(name, ""),
        pve_version=release,
        lxc_count=containers.get(name, 0),
        fingerprint=prints.get(name, ""),
    )


async def read_members(client: ProxmoxApi) -> ClusterMembers:
    """Read the nodes as the cluster names them; nothing where it does not say."""
    host = client.access.host
    try:
        status = await client.get("/cluster/status")
    except DomainError:
        return ClusterMembers()
    nodes = [one for one in status if one.get("type") == "node"]
    addresses = {str(one["name"]): str(one.get("ip") or "") for one in nodes}
    local = next((name for name, address in addresses.items() if address == host), "")
    if not local:
        local = next((str(one["name"]) for one in nodes if str(one.get("local")) == "1"), "")
    online = tuple(str(one["name"]) for one in nodes if str(one.get("online", 1)) == "1")
    members = ClusterMembers(addresses, local, online)
    _members[client] = (time.monotonic(), host, members)
    return members


async def get_members(client: ProxmoxApi) -> ClusterMembers:
    """Return the nodes as the cluster named them lately; work that begins at once shares one answer."""
    # Commands that begin at once on one cluster share one request.
    async with _member_locks.setdefault(client, asyncio.Lock()):
        read_at, host, members = _members.get(client, (0.0, "", ClusterMembers()))
        if host == client.access.host and time.monotonic() - read_at < _MEMORY_S:
            return members
        return await read_members(client)


def list_endpoints(nodes: Sequence[Node]) -> list[ClusterEndpoint]:
    """Return the addresses through which a cluster answers."""
    return [ClusterEndpoint(node.ip_address, node.fingerprint) for node in nodes]


async def read_expiry(host: str, port: int) -> datetime:
    """Return when the certificate that a server shows expires; raises as `read_fingerprint`."""
    pem = await _read_certificate(host, port)
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc


async def read_fingerprint(host: str, port: int) -> str:
    """Return the SHA-256 fingerprint of the certificate that a server shows, `AA:BB:…`.

    Raises:
        HostUnreachableError: it shows none, with the cause.
    """
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(await _read_certificate(host, port))).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


async def _read_certificate(host: str, port: int) -> str:
    try:
        # The handshake of the standard library blocks. Nothing but the certificate is read from an unverified server.
        return await asyncio.to_thread(ssl.get_server_certificate, (host, port), timeout=_PROBE_TIMEOUT_S)
    except (OSError, ValueError) as error:  # a ValueError is a host name that is none
        raise HostUnreachableError(
            f"{host}:{port} shows no certificate: {explain(error)}", metadata={"scope": "host"}, retry_after=5
        ) from error


async def list_bridges(client: ProxmoxApi, node: str) -> frozenset[str] | None:
    """Return the bridges of a node; None where it does not list them to these credentials, or does not answer."""
    try:
        found = await client.get(f"/nodes/{node}/network", type="any_bridge")
    except DomainError:
        return None
    return frozenset(str(one["iface"]) for one in found)
