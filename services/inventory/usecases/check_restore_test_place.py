"""CheckRestoreTestPlace."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host
from services.inventory.domain.interfaces import HostStore, ProxmoxFleet
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.storages import list_host_storages
from services.inventory.usecases.placement import choose_hosts
from services.inventory.usecases.plan_restore_test import find_bridge_problem

_TIMEOUT_S = 9.0  # a person waits; callers wait 20 s


@dataclass(frozen=True, kw_only=True)
class PlaceCheck:
    """Nodes, as host/node, that have a bridge and a storage, and why others do not have the bridge."""

    bridge_nodes: tuple[str, ...] = ()
    storage_nodes: tuple[str, ...] = ()
    bridge_problems: tuple[str, ...] = ()


async def check_restore_test_place(
    hosts: HostStore, fleet: ProxmoxFleet, *, bridge: str, storage: str
) -> PlaceCheck:
    """Find the nodes of all active hosts that have an isolated bridge, and those that have a storage for containers."""
    chosen = await choose_hosts(hosts, None)
    found = await asyncio.gather(
        *(_check_host(fleet, host, bridge=bridge, storage=storage) for host in chosen)
    )
    return PlaceCheck(
        bridge_nodes=tuple(node for one in found for node in one.bridge_nodes),
        storage_nodes=tuple(node for one in found for node in one.storage_nodes),
        bridge_problems=tuple(problem for one in found for problem in one.bridge_problems),
    )


async def _check_host(fleet: ProxmoxFleet, host: Host, *, bridge: str, storage: str) -> PlaceCheck:
    try:
        async with isolate_host(host, timeout_s=_TIMEOUT_S):
            client = await fleet.get_client_of(host)
            storages = [one for one in await list_host_storages(client) if one.available]
            nodes = sorted({one.node for one in storages}) if bridge else []
            problems = await asyncio.gather(
                *(find_bridge_problem(client, node, bridge=bridge) for node in nodes)
            )
    except DomainError as error:
        return PlaceCheck(bridge_problems=(error.message,))
    return PlaceCheck(
        bridge_nodes=tuple(
            f"{host.name}/{node}" for node, problem in zip(nodes, problems, strict=True) if not problem
        ),
        storage_nodes=tuple(
            f"{host.name}/{one.node}" for one in storages if one.name == storage and "rootdir" in one.content
        ),
        bridge_problems=tuple(problem for problem in problems if problem),
    )
