"""Nodes of hosts as places for a new container."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host
from services.inventory.domain.interfaces import ContainerAccess, HostStore, ProxmoxFleet
from services.inventory.domain.placement import Candidate
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import list_architectures, read_version

# Seconds that a user's request waits for one host: a silent one must not delay the answer about the others, least of
# all one that was silent before.
_HOST_TIMEOUT_S = 9.0
# Seconds for a host that did not answer when its nodes were read last.
_SILENT_HOST_TIMEOUT_S = 3.0


def find_timeout(host: Host) -> float:
    """Return for how many seconds a user's request waits for a host."""
    return _SILENT_HOST_TIMEOUT_S if host.status == "offline" else _HOST_TIMEOUT_S


class ProxmoxCandidateReader:
    """Reads the nodes of hosts; deployments at the same time share one answer of a host (single flight)."""

    def __init__(self, hosts: HostStore, fleet: ProxmoxFleet, *, access: ContainerAccess) -> None:
        self._hosts = hosts
        self._fleet = fleet
        self._access = access
        self._running: dict[int, asyncio.Task[list[Candidate]]] = {}

    async def list_candidates(self, host: Host) -> list[Candidate]:
        """See `CandidateReader.list_candidates`."""
        task = self._running.get(host.id)
        if task is None:
            task = self._running[host.id] = asyncio.create_task(self._read(host))
            task.add_done_callback(lambda _: self._running.pop(host.id, None))
        return await asyncio.shield(task)  # a request that is cancelled leaves the answer to the others

    async def _read(self, host: Host) -> list[Candidate]:
        try:
            async with isolate_host(host, timeout_s=find_timeout(host)):
                client = await self._fleet.get_client_of(host)
                resources = await client.get("/cluster/resources")
                version = host.version or await read_version(client)
                obstacle = await self._access.find_pull_obstacle(client)
                found = _build_candidates(host, resources, version=version, obstacle=obstacle)
                architectures = await list_architectures(client, [one.node for one in found if one.online])
                is_full_root = client.access.is_full_root
                return [
                    replace(one, architecture=architectures.get(one.node, ""), is_full_root=is_full_root)
                    for one in found
                ]
        # Its nodes are listed as offline, so that a request for one of them is refused by the right reason.
        except DomainError:
            nodes = await self._hosts.list_nodes(host.id)
            return [Candidate(host.id, host.name, node.name, online=False) for node in nodes]


def _build_candidates(
    host: Host, resources: list[dict[str, Any]], *, version: str, obstacle: str
) -> list[Candidate]:
    return [
        Candidate(
            host_id=host.id,
            host_name=host.name,
            node=str(one["node"]),
            online=one.get("status") == "online",
            is_default_host=host.is_default,
            free_memory=float(one.get("maxmem") or 0) - float(one.get("mem") or 0),
            version=version,
            exec_mode=host.exec_mode,
            storages=_measure_storages(resources, str(one["node"])),
            oci_obstacle=obstacle,
        )
        for one in resources
        if one.get("type") == "node"
    ]


def _measure_storages(resources: list[dict[str, Any]], node: str) -> dict[str, float]:
    """Return the free bytes of the storages of a node that take root disks."""
    return {
        str(one["storage"]): float(one.get("maxdisk") or 0) - float(one.get("disk") or 0)
        for one in resources
        if one.get("type") == "storage"
        and one.get("node") == node
        and one.get("status") == "available"
        and "rootdir" in str(one.get("content") or "rootdir").split(",")
    }
