"""Storages of a node, and what templates are on them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

from services.inventory.domain.errors import StorageNotFoundError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.storages import StorageOnNode

_KEEP = re.compile(r"keep-(last|hourly|daily|weekly|monthly|yearly)=(\d+)")


async def list_backup_storages(client: ProxmoxApi) -> list[StorageOnNode]:
    """List the storages of a host by node with their limits of archives, those that take no backups among them."""
    found, definitions = await asyncio.gather(list_host_storages(client), client.get("/storage"))
    limits = {str(one["storage"]): _read_limit(str(one.get("prune-backups") or "")) for one in definitions}
    return [replace(one, max_archives=limits.get(one.name, 0)) for one in found]


async def list_host_storages(client: ProxmoxApi) -> list[StorageOnNode]:
    """List the storages of a host by node, with one call."""
    return [
        StorageOnNode(
            name=str(one["storage"]),
            node=str(one["node"]),
            type=str(one.get("plugintype") or ""),
            content=tuple(sorted(filter(None, str(one.get("content") or "").split(",")))),
            shared=bool(int(one.get("shared") or 0)),
            available=one.get("status") == "available",
            total=float(one.get("maxdisk") or 0),
            used=float(one.get("disk") or 0),
        )
        for one in await client.get("/cluster/resources", type="storage")
    ]


async def list_definitions(client: ProxmoxApi) -> dict[str, dict[str, Any]]:
    """Return the definitions of a host's storages by name, those that these credentials may see."""
    return {str(one["storage"]): one for one in await client.get("/storage")}


def _read_limit(retention: str) -> int:
    """Return the archives of a container after which vzdump with remove=0 fails on a storage of this retention.

    It is the sum of the storage's keep values, and there is none with keep-all=1 (PVE::VZDump, get_backup_limits).
    """
    if "keep-all=1" in retention.replace(" ", ""):
        return 0
    return sum(int(count) for _, count in _KEEP.findall(retention))


async def list_storages(client: ProxmoxApi, node: str, *, content: str) -> list[dict[str, Any]]:
    """Return the active storages of a node for a kind of content, most free space first."""
    found = await client.get(f"/nodes/{node}/storage", content=content, enabled=1)
    active = [one for one in found if int(one.get("active", 1) or 0)]
    return sorted(active, key=lambda one: (-float(one.get("avail") or 0), one["storage"]))


async def choose_storage(client: ProxmoxApi, node: str, *, content: str, wanted: str = "") -> str:
    """Return the wanted storage, or the one with most free space.

    Raises:
        StorageNotFoundError: the node has none for this content, or not the wanted one.
    """
    found = await list_storages(client, node, content=content)
    names = [str(one["storage"]) for one in found]
    if wanted and wanted not in names:
        raise StorageNotFoundError(f"storage: node {node} has no storage {wanted!r} for {content}")
    if not names:
        raise StorageNotFoundError(f"node {node} has no storage for {content}")
    return wanted or names[0]
