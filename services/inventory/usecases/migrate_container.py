"""MigrateContainer."""

from __future__ import annotations

from typing import Any

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, check_unlocked
from services.inventory.domain.errors import NodeUnknownError
from services.inventory.proxmox.containers import ContainerLookup, act


async def migrate_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, target_node: str
) -> ProxmoxTask:
    """Move a container to another node of its cluster; a running one is restarted there.

    Raises:
        NodeUnknownError: the cluster has no such node.
        ContainerLockedError: Proxmox works on the container.
    """
    view = await containers.get_owned(ref, owner)
    if task := view.find_task(("vzmigrate", "hamigrate")):
        return task
    if view.node == target_node:
        return view.done()
    names = {one.get("node") for one in await view.client.get("/nodes")}
    if target_node not in names:
        raise NodeUnknownError(f"node: {view.client.access.name} has no node {target_node[:100]!r}")
    check_unlocked(view)
    # Containers have no live migration: one that runs is stopped, moved and started.
    options: dict[str, Any] = {"target": target_node, **({"restart": 1} if view.is_running else {})}
    return await act(
        view, lambda: view.client.post(f"{view.path}/migrate", **options), types=("vzmigrate", "hamigrate")
    )
