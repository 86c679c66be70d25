"""Storages of a node, and what templates are on them."""

from __future__ import annotations

from typing import Any

from services.inventory.domain.errors import StorageNotFoundError
from services.inventory.domain.proxmox_api import ProxmoxApi


async def list_storages(client: ProxmoxApi, node: str, content: str) -> list[dict[str, Any]]:
    """Return the active storages of a node for a kind of content, most free space first."""
    found = await client.get(f"/nodes/{node}/storage", content=content, enabled=1)
    active = [one for one in found if int(one.get("active", 1) or 0)]
    return sorted(active, key=lambda one: (-float(one.get("avail") or 0), one["storage"]))


async def choose_storage(client: ProxmoxApi, node: str, content: str, *, wanted: str = "") -> str:
    """Return the wanted storage, or the one with most free space.

    Raises:
        StorageNotFoundError: the node has none for this content, or not the wanted one.
    """
    found = await list_storages(client, node, content)
    names = [str(one["storage"]) for one in found]
    if wanted and wanted not in names:
        raise StorageNotFoundError(f"storage: node {node} has no storage {wanted!r} for {content}")
    if not names:
        raise StorageNotFoundError(f"node {node} has no storage for {content}")
    return wanted or names[0]
