"""Nodes as places of a container that is on another node of its cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from services.inventory.domain.disks import Disk, parse_disks
from services.inventory.domain.links import parse_links
from services.inventory.domain.placement import Candidate
from services.inventory.domain.storages import StorageOnNode

_GIB = 1 << 30  # bytes
_MIB = 1 << 20  # bytes
_DEFAULT_MB = 512  # of a container whose configuration does not say: the default of Proxmox


@dataclass(frozen=True, kw_only=True)
class MigrationTarget:
    """A node as the place of a container.

    Attributes:
        obstacle: why the container does not fit there; empty: it fits.
        warning: what speaks against it where it fits; empty: nothing.
    """

    node: str
    online: bool
    obstacle: str = ""
    warning: str = ""
    free_memory: float = 0.0


def find_obstacle(
    config: Mapping[str, Any],
    *,
    source: Candidate | None,
    target: Candidate,
    storages: Sequence[StorageOnNode],
    bridges: AbstractSet[str] | None,
) -> str:
    """Return the first reason why a container cannot go to a node; empty: it fits.

    Free memory is none: nodes may be overcommitted, so that too little of it only speaks against a node.

    Args:
        config: of the container.
        source: the node that it is on; None where the host did not list it.
        target: the node to go to.
        storages: of all nodes.
        bridges: of the target; None where it does not list them to these credentials.
    """
    if not target.online:
        return "it is offline"
    if source and source.architecture and target.architecture not in {"", source.architecture}:
        return f"it is of {target.architecture}, and the container of {source.architecture}"
    return _find_disk_obstacle(parse_disks(config), target.node, storages=storages) or find_bridge_obstacle(
        config, bridges
    )


def _find_disk_obstacle(disks: Sequence[Disk], node: str, *, storages: Sequence[StorageOnNode]) -> str:
    here = {one.name: one for one in storages if one.node == node and one.available}
    copied: dict[str, float] = {}
    for disk in disks:
        if not disk.is_volume:
            if disk.options.get("shared") != "1":
                return f"{disk.describe()} is of the node that it is on now"
            continue
        if disk.storage not in here:
            return f"it has no storage {disk.storage!r}, which {disk.key} is on"
        if not here[disk.storage].shared:
            copied[disk.storage] = copied.get(disk.storage, 0.0) + disk.size_gb * _GIB
    for name, needed in copied.items():
        free = here[name].total - here[name].used
        if free < needed:
            return (
                f"its storage {name!r} has {free / _GIB:.1f} GiB free; the disks have {needed / _GIB:.1f} GiB"
            )
    return ""


def find_bridge_obstacle(config: Mapping[str, Any], bridges: AbstractSet[str] | None) -> str:
    """Return which bridge of a container a node lacks; empty where it has all, or does not list them."""
    if bridges is None:
        return ""
    wanted = {link.place.bridge for link in parse_links(config)} - {""}
    missing = sorted(wanted - bridges)
    return f"it has no bridge {missing[0]!r}" if missing else ""


def find_memory_obstacle(config: Mapping[str, Any], target: Candidate) -> str:
    """Return by how much a node has too little free memory for a container; empty where it has enough."""
    needed = float(config.get("memory") or _DEFAULT_MB) * _MIB
    if target.free_memory >= needed:
        return ""
    free = target.free_memory / _GIB
    return f"it has {free:.1f} GiB of memory free; the container has {needed / _GIB:.1f} GiB"
