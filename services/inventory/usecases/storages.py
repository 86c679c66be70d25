"""ListStorages: what can be chosen as the place of root disks and archives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host
from services.inventory.domain.interfaces import HostStore, ProxmoxFleet
from services.inventory.domain.storages import StorageOnNode
from services.inventory.proxmox.candidates import find_timeout
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.storages import list_host_storages
from services.inventory.usecases.placement import choose_hosts


async def list_storages(
    hosts: HostStore, fleet: ProxmoxFleet, *, host_id: int | None = None, content: str = ""
) -> list[tuple[Host, StorageOnNode]]:
    """List the storages of one host, or of all active ones that answer, by host, name and node.

    Raises:
        HostNotFoundError: there is no host `host_id`.
        DomainError: the host `host_id` does not answer.
    """
    chosen = await choose_hosts(hosts, host_id)
    answers = await asyncio.gather(*(_read(fleet, host, is_required=host_id is not None) for host in chosen))
    found = [(host, one) for host, storages in zip(chosen, answers, strict=True) for one in storages]
    return sorted(
        (pair for pair in found if not content or content in pair[1].content),
        key=lambda pair: (pair[0].name, pair[1].name, pair[1].node),
    )


async def _read(fleet: ProxmoxFleet, host: Host, *, is_required: bool) -> Sequence[StorageOnNode]:
    try:
        async with isolate_host(host, timeout_s=find_timeout(host)):
            return await list_host_storages(await fleet.get_client_of(host))
    except DomainError:
        if is_required:
            raise
        return []
