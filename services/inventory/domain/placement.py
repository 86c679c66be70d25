"""Where a new container goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.inventory.domain.errors import NodeOfflineError, NodeUnknownError, NoOnlineNodeError

OCI_SINCE = (9, 1)


@dataclass(frozen=True)
class Candidate:
    """A node as a place for a container, read just now."""

    host_id: int
    host_name: str
    node: str
    online: bool
    is_default_host: bool = False
    free_memory: float = 0.0
    version: str = ""
    exec_mode: str = "none"
    storages: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Wish:
    """What is asked of the place; nothing is asked by what is empty."""

    node: str = ""
    memory_mb: int = 0
    storage: str = ""
    oci: bool = False


def place_container(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """Choose: the named node; else the online one with most free memory that has what is asked; else any online.

    Raises:
        NodeUnknownError: the named node does not exist.
        NodeOfflineError: the named node is down.
        NoOnlineNodeError: there is none.
    """
    if wish.node:
        return _take_named(candidates, wish.node)
    online = [one for one in candidates if one.online]
    if not online:
        raise NoOnlineNodeError("no Proxmox node is online", retry_after=10)
    return max(online, key=lambda one: (_suits(one, wish), one.is_default_host, one.free_memory))


def _take_named(candidates: Sequence[Candidate], name: str) -> Candidate:
    named = sorted((one for one in candidates if one.node == name), key=lambda one: not one.is_default_host)
    if not named:
        raise NodeUnknownError(f"node: there is no node {name[:100]!r}")
    for one in named:
        if one.online:
            return one
    raise NodeOfflineError(f"node: {name!r} is offline")


def _suits(one: Candidate, wish: Wish) -> bool:
    return (
        one.free_memory >= wish.memory_mb * 1024 * 1024
        and (not wish.storage or wish.storage in one.storages)
        and (not wish.oci or not find_oci_obstacle(one.version))
    )


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version: (9, 2, 11)."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("-", maxsplit=1)[0])[:3])


def find_oci_obstacle(version: str) -> str:
    """Say why a host of this version runs no OCI images as containers; empty when it does."""
    if not version:
        return "the version of Proxmox VE is not known"
    if parse_version(version) < OCI_SINCE:
        return f"OCI images need Proxmox VE 9.1 or newer; the host runs {version}"
    return ""
