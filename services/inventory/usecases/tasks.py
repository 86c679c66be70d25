"""Tasks of Proxmox."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

from services.inventory.domain.containers import ContainerRef, ListedBackup, ListedTask, is_of_host
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.interfaces import ProxmoxFleet
from services.inventory.proxmox import failover
from services.inventory.proxmox.archives import name_volume
from services.inventory.proxmox.containers import (
    find_node,
    has_left,
    list_running_tasks,
    list_running_vzdumps,
    parse_backup,
    parse_task,
)
from services.inventory.proxmox.tasks import Progress

_MOST_TASKS = 100  # of one container, newest first: more than the history that reconciliation needs


async def watch_task(
    fleet: ProxmoxFleet, host_id: int, *, node: str, upid: str, stall_s: int = 0
) -> AsyncIterator[Progress]:
    """Follow a task to its end; of a backup, with the volume id of its archive once the log names it.

    Raises:
        TaskNotFoundError: Proxmox knows no such task, or its node is down and the container on another one.
        TaskStalledError: it prints nothing new for `stall_s` seconds.
        HostUnreachableError: the host is silent; asking again later gives the same end.
    """
    client = await fleet.get_client(host_id)
    async for progress in failover.watch_task(client, node, upid=upid, stall_s=stall_s):
        volume_id = await name_volume(client, node, job=progress.job, done=progress.done)
        yield dataclasses.replace(progress, result=volume_id)


async def stop_task(fleet: ProxmoxFleet, host_id: int, *, node: str, upid: str) -> None:
    """Stop a task; one that has ended is left alone."""
    await failover.stop_task(await fleet.get_client(host_id), node, upid=upid)


async def list_container_tasks(
    fleet: ProxmoxFleet, ref: ContainerRef, *, include_finished: bool
) -> list[ListedTask]:
    """List the tasks of a container, newest first; none where the host has no such container.

    Raises:
        HostUnreachableError: the host or the container's node does not answer.
    """
    client = await fleet.get_client(ref.host_id)
    node = ref.node or await find_node(client, ref.vmid) or ""
    if not node:
        return []
    if include_finished:
        found = await client.get(f"/nodes/{node}/tasks", vmid=ref.vmid, source="all", limit=_MOST_TASKS)
        found = sorted(found, key=lambda one: -int(one.get("starttime") or 0))
        return [parse_task(one, node) for one in found]
    try:
        return [parse_task(one, node) for one in await list_running_tasks(client, node, vmid=ref.vmid)]
    except HostUnreachableError as error:
        if is_of_host(error) or not await has_left(client, node, vmid=ref.vmid):
            raise
    # Its node is down, and the HA manager has moved it to another one.
    node = await find_node(client, ref.vmid) or ""
    tasks = await list_running_tasks(client, node, vmid=ref.vmid) if node else ()
    return [parse_task(one, node) for one in tasks]


async def list_running_backups(fleet: ProxmoxFleet, host_id: int, *, node: str) -> list[ListedBackup]:
    """List the backups (vzdump) that run on a node, those of others too.

    Raises:
        HostUnreachableError: the host or the node does not answer.
    """
    client = await fleet.get_client(host_id)
    found = await list_running_vzdumps(client, node)
    return [parse_backup(one, node) for one in found]
