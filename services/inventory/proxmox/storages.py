"""Storages of a node, and what templates are on them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.errors import StorageNotFoundError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.storages import StorageOnNode

_KEEP = re.compile(r"keep-(last|hourly|daily|weekly|monthly|yearly)=(\d+)")


async def list_backup_storages(client: ProxmoxApi) -> list[StorageOnNode]:
    """List the storages of a host by node with their limits of archives, those that take no backups among them."""
    found, definitions = await asyncio.gather(list_host_storages(client), client.get("/storage"))
    own = {
        str(one["storage"]): _read_limit(str(one["prune-backups"]))
        for one in definitions
        if one.get("prune-backups")
    }
    # A storage without a retention of its own has that of the node's /etc/vzdump.conf, the same for all of them.
    chosen = {
        one.node: one.name for one in found if one.available and one.takes_backups and one.name not in own
    }
    limits = await asyncio.gather(
        *(_read_default_limit(client, node, storage=chosen[node]) for node in chosen)
    )
    defaults = dict(zip(chosen, limits, strict=True))
    return [
        replace(one, max_archives=own.get(one.name, defaults.get(one.node, 0) if one.takes_backups else 0))
        for one in found
    ]


async def _read_default_limit(client: ProxmoxApi, node: str, *, storage: str) -> int:
    """Read a node's limit of archives on a storage; 0 where the node does not say."""
    try:
        return await read_archive_limit(client, node, storage=storage)
    except DomainError:
        return 0


async def read_archive_limit(client: ProxmoxApi, node: str, *, storage: str) -> int:
    """Read how many archives of a container a node's vzdump puts on a storage; 0: no limit."""
    found = await client.get(f"/nodes/{node}/vzdump/defaults", storage=storage)
    return _read_limit(str(found.get("prune-backups") or ""))


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
    """Return the archives of a container after which vzdump with remove=0 fails with this retention.

    It is the sum of its keep values, and there is none with keep-all=1 (PVE::VZDump, get_backup_limits).
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
