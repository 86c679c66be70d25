"""ListMigrationTargets: the nodes that a container fits, and why it does not fit the others."""

from __future__ import annotations

import asyncio

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.interfaces import CandidateReader, HostStore
from services.inventory.domain.migration import MigrationTarget, find_memory_obstacle, find_obstacle
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import list_bridges
from services.inventory.proxmox.storages import list_host_storages

_TIMEOUT_S = 9.0  # a person waits; callers wait 10 s


async def list_migration_targets(
    hosts: HostStore,
    containers: ContainerLookup,
    *,
    candidates: CandidateReader,
    ref: ContainerRef,
    owner: str,
) -> tuple[str, list[MigrationTarget]]:
    """Return the node of an owner's container, and the other nodes of its host, those that it fits first.

    Raises:
        ContainerNotFoundError: the host answers and has none.
        NotOursError: it does not carry the owner's marks.
        HostUnreachableError: the host does not answer.
    """
    host = await hosts.get_host(ref.host_id)
    async with isolate_host(host, timeout_s=_TIMEOUT_S):
        view = await containers.get_owned(ref, owner, with_tasks=False)
        nodes, storages = await asyncio.gather(
            candidates.list_candidates(host), list_host_storages(view.client)
        )
        others = [one for one in nodes if one.node != view.node]
        bridges = await asyncio.gather(*(list_bridges(view.client, one.node) for one in others if one.online))
    known = dict(zip((one.node for one in others if one.online), bridges, strict=True))
    source = next((one for one in nodes if one.node == view.node), None)
    targets = []
    for one in others:
        obstacle = find_obstacle(
            view.config, source=source, target=one, storages=storages, bridges=known.get(one.node)
        )
        targets.append(
            MigrationTarget(
                node=one.node,
                online=one.online,
                free_memory=max(one.free_memory, 0.0),
                obstacle=obstacle,
                warning="" if obstacle else find_memory_obstacle(view.config, one),
            )
        )
    return view.node, sorted(targets, key=_rank)


def _rank(one: MigrationTarget) -> tuple[bool, bool, bool, float, str]:
    return bool(one.obstacle), bool(one.warning), not one.online, -one.free_memory, one.node
