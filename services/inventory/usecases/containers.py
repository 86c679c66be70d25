"""Containers as they are on the hosts."""

from __future__ import annotations

import asyncio

from services.common.core.errors import DomainError
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.entities import Host
from services.inventory.domain.interfaces import ContainerScanner, HostStore
from services.inventory.domain.scans import HostScan, ScannedContainer
from services.inventory.proxmox.container_scan import read_container
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases.placement import choose_hosts

# Seconds for the marks of all containers of a host, below the 60 that callers wait. Marks are read once and then
# remembered, so that a repeated request continues where the time ended.
_MARKS_TIMEOUT_S = 45.0
_OTHER_HOST_TIMEOUT_S = 3.0  # for hosts where no container is expected: reconciliation finds what they miss


async def get_container(containers: ContainerLookup, ref: ContainerRef) -> ScannedContainer:
    """Return a container of any owner, with its configuration and, while it runs, its address.

    Raises:
        ContainerNotFoundError: the host answers and has none.
        HostUnreachableError: the host or the container's node does not answer.
    """
    return await read_container(await containers.get(ref, with_tasks=False))


async def list_containers(
    hosts: HostStore,
    scanner: ContainerScanner,
    *,
    host_id: int | None = None,
    with_addresses: bool = False,
    brief: bool = False,
) -> list[HostScan]:
    """List the containers of one host, or of all active ones; a host that does not answer has an incomplete scan.

    Raises:
        HostNotFoundError: there is no host `host_id`.
    """
    chosen = await choose_hosts(hosts, host_id)
    return list(
        await asyncio.gather(
            *(scanner.scan(host, with_addresses=with_addresses, brief=brief) for host in chosen)
        )
    )


async def find_owned_containers(
    hosts: HostStore, scanner: ContainerScanner, *, owner: str, host_id: int, hostname: str
) -> list[ScannedContainer]:
    """Find the containers on any host that carry an owner's marks.

    Raises:
        HostUnreachableError: the host `host_id` does not answer; others that do not answer are left out.
    """
    here = await hosts.get_host(host_id)
    # Hosts known to be offline would only delay the answer.
    others = [host for host in await choose_hosts(hosts, None) if host.id != host_id]
    found, *elsewhere = await asyncio.gather(
        scanner.find_owned(here, owner, hostname=hostname, timeout_s=_MARKS_TIMEOUT_S),
        *(_find_elsewhere(scanner, host, owner=owner) for host in others if host.status != "offline"),
    )
    return [*found, *(one for answer in elsewhere for one in answer)]


async def _find_elsewhere(scanner: ContainerScanner, host: Host, *, owner: str) -> list[ScannedContainer]:
    try:
        return await scanner.find_owned(host, owner, hostname="", timeout_s=_OTHER_HOST_TIMEOUT_S)
    except DomainError:
        return []
