"""Proxmox hosts and their nodes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host, NewHost, Node
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.interfaces import (
    ContainerAccess,
    HostStore,
    NodeSyncTrigger,
    ProxmoxFleet,
)
from services.inventory.domain.patches import HostChanges
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import (
    describe_age,
    list_endpoints,
    read_fingerprint,
    read_nodes,
    read_version,
)
from services.inventory.proxmox.privileges import list_missing

_TEST_TIMEOUT_S = 25.0  # the gateway waits 30 s
_FIRST_ANSWER_S = 8.0  # clients give up after 10 s; a host in another place answers in 0.3 s
_SYNC_TIMEOUT_S = 40.0  # of one host: four calls, each of which Proxmox itself gives up after 30 s


@dataclass(frozen=True, kw_only=True)
class HostTest:
    """The outcome of a test of a host's address and credentials; None where the test did not come so far.

    Attributes:
        confirm_fingerprint: nobody vouches for the certificate of a host that is not registered.
    """

    message: str
    exec_mode: str
    success: bool = False
    version: str | None = None
    fingerprint: str | None = None
    latency_ms: float | None = None
    missing_privileges: tuple[str, ...] = ()
    confirm_fingerprint: bool = False


async def list_hosts(hosts: HostStore) -> list[Host]:
    """List the registered hosts, the default one first, then by name."""
    return await hosts.list_hosts()


async def get_host(hosts: HostStore, host_id: int) -> Host:
    """Return one host, or raise HostNotFoundError."""
    return await hosts.get_host(host_id)


async def create_host(
    hosts: HostStore, sync: NodeSyncTrigger, *, new: NewHost, request_id: str | None = None
) -> Host:
    """Register a host and have its nodes read; the first one becomes the default.

    Raises:
        HostDuplicateError: the name is taken.
    """
    host = await hosts.add_host(new, request_id=request_id)
    sync.wake()
    return host


async def update_host(hosts: HostStore, sync: NodeSyncTrigger, *, host_id: int, changes: HostChanges) -> Host:
    """Change a host and have its nodes read.

    A default host stops being it only when another one becomes it, so that `is_default: false` changes nothing.

    Raises:
        HostNotFoundError: there is no such host.
        HostDuplicateError: the name is taken.
        InvalidError: the credentials would be incomplete, or stored ones would be sent to another address.
    """
    host = await hosts.update_host(host_id, replace(changes, is_default=changes.is_default or None))
    sync.wake()
    return host


async def delete_host(hosts: HostStore, fleet: ProxmoxFleet, *, host_id: int) -> None:
    """Remove a host without apps, and close the connections to it.

    Raises:
        HostNotFoundError: there is no such host.
        HostInUseError: apps are on it.
    """
    await hosts.delete_host(host_id)
    # After the database: a request in between opens a client that this closes.
    fleet.forget(host_id)


async def list_nodes(hosts: HostStore, *, host_id: int | None = None) -> list[Node]:
    """List the nodes of a host, or of all, as they were read last."""
    return await hosts.list_nodes(host_id)


async def list_capacity(hosts: HostStore) -> list[Node]:
    """List the nodes of all hosts for other services."""
    return await hosts.list_nodes()


async def list_system_nodes(hosts: HostStore) -> list[Node]:
    """List the nodes of all hosts for users; rendered without the addresses of the nodes."""
    return await hosts.list_nodes()


async def test_host(
    hosts: HostStore, fleet: ProxmoxFleet, *, access: ContainerAccess, host_id: int
) -> HostTest:
    """Sign in to a host with its stored credentials and describe what they allow; a fault is an outcome, too.

    Raises:
        HostNotFoundError: there is no such host.
    """
    host = await hosts.get_host(host_id)
    try:
        client = await fleet.open_client(host)
    except HostUnreachableError as error:
        return HostTest(message=error.message, exec_mode=host.exec_mode)
    found: dict[str, Any] = {}
    try:
        async with isolate_host(host, timeout_s=_TEST_TIMEOUT_S):
            found["fingerprint"] = await read_fingerprint(host.host, host.port)
            return await describe_test(client, access=access, found=found)
    except DomainError as error:
        return HostTest(message=error.message, exec_mode=host.exec_mode, **found)
    finally:
        client.close()


async def describe_test(client: ProxmoxApi, *, access: ContainerAccess, found: dict[str, Any]) -> HostTest:
    """Test a host; `found` gets each fact as soon as it is known, for the outcome of a test that fails later."""
    await client.get("/version")  # signs in, which the latency must not contain
    began = time.perf_counter()
    version = await read_version(client)
    found["latency_ms"] = round((time.perf_counter() - began) * 1000, 3)
    missing = found["missing_privileges"] = tuple(await list_missing(client))
    route = await access.find_route(client, again=True)
    parts = [f"Connected to Proxmox VE {version}"]
    if warning := describe_age(version):
        parts.append(f"warning: {warning}")
    if route.reason:
        parts.append(f"commands get into containers by {route.mode}: {route.reason}")
    if missing:
        parts.append(f"missing privileges: {', '.join(missing)}")
    return HostTest(message="; ".join(parts), exec_mode=route.mode, success=True, version=version, **found)


async def sync_host_nodes(
    hosts: HostStore, fleet: ProxmoxFleet, *, access: ContainerAccess, host_id: int
) -> int:
    """Read the nodes of a host now, and return how many there are.

    Raises:
        HostNotFoundError: there is no such host.
        HostUnreachableError: it does not answer.
        DomainError: it refuses.
    """
    host = await hosts.get_host(host_id)
    return await sync_nodes(hosts, fleet, access=access, host=host, first_answer_s=_FIRST_ANSWER_S)


async def sync_nodes(
    hosts: HostStore,
    fleet: ProxmoxFleet,
    *,
    access: ContainerAccess,
    host: Host,
    first_answer_s: float = _SYNC_TIMEOUT_S,
) -> int:
    """Read the nodes of a host and how commands get into its containers, and record both.

    `first_answer_s` is how long a host that did not answer last time may be silent, in seconds.

    Returns:
        The number of nodes.

    Raises:
        DomainError: it does not answer or refuses, which is recorded too.
    """
    try:
        # One request less for a host that answered last time.
        if host.status != "online":
            async with isolate_host(host, timeout_s=first_answer_s):
                await (await fleet.get_client_of(host)).get("/version")
        async with isolate_host(host, timeout_s=_SYNC_TIMEOUT_S):
            client = await fleet.get_client_of(host)
            version, found = await read_nodes(client)
            client.use_endpoints(list_endpoints(found))
            route = await access.find_route(client)
    except DomainError as error:
        await hosts.note_silence(host.id, error.message)
        raise
    await hosts.note_answer(host.id, version=version, found=found, exec_mode=route.mode)
    return len(found)
