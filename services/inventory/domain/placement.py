"""Choice of a host and node for a new container."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.common.core.errors import Violation
from services.inventory.domain.architectures import describe_architecture_obstacle
from services.inventory.domain.devices import describe_device_obstacle
from services.inventory.domain.errors import (
    NodeOfflineError,
    NodeUnknownError,
    NodeUnsuitableError,
    NoOnlineNodeError,
    StorageNotFoundError,
)

OCI_SINCE = (9, 1)
_GIB = 1 << 30  # bytes


@dataclass(frozen=True)
class Candidate:
    """A node as a place for a container, read just now.

    Attributes:
        free_memory: bytes.
        storages: free bytes of each storage that takes root disks.
        oci_obstacle: reason why its host's credentials or programs run no OCI images; empty when they may.
        architecture: of the node, in Debian's words; empty where Proxmox does not say.
        is_full_root: its host is used as root@pam with the password, which has rights that no API token has.
    """

    host_id: int
    host_name: str
    node: str
    online: bool
    is_default_host: bool = False
    free_memory: float = 0.0
    version: str = ""
    exec_mode: str = "none"
    storages: Mapping[str, float] = field(default_factory=dict)
    oci_obstacle: str = ""
    architecture: str = ""
    is_full_root: bool = False


@dataclass(frozen=True, kw_only=True)
class ChosenPlace:
    """The place that a new container gets.

    Attributes:
        oci_obstacle: why the place runs no OCI images; empty when it does.
        bridge: of the network that the container gets.
        gateway: of that network; empty for none.
    """

    candidate: Candidate
    oci_obstacle: str
    bridge: str
    gateway: str


@dataclass(frozen=True)
class PlacementRequest:
    """Requirements on the place; empty values require nothing.

    Attributes:
        architectures: that images are for, in Docker's words.
        devices: of the node.
    """

    node: str = ""
    memory_mb: int = 0
    storage: str = ""
    oci: bool = False
    disk_gb: int = 0
    architectures: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def rank_candidates(candidates: Sequence[Candidate], request: PlacementRequest) -> list[Candidate]:
    """Order the places, best first: the named node alone; else online ones that meet the requirements, then any online.

    Among equals the default host comes first, then free memory counts.

    Raises:
        NodeUnknownError: the named node does not exist.
        NodeOfflineError: the named node is down.
        NoOnlineNodeError: there is none.
        NodeUnsuitableError: no node in question is of a required architecture, or can give the required devices.
        StorageNotFoundError: no node in question has the named storage.
    """
    online = (
        _take_named(candidates, request.node) if request.node else [one for one in candidates if one.online]
    )
    if not online:
        raise NoOnlineNodeError("no Proxmox node is online", retry_after=10)
    online = _take_suitable(online, request)
    fitting = [one for one in online if not request.storage or request.storage in one.storages]
    if not fitting:
        where = f"node {request.node}" if request.node else "no online node"
        raise StorageNotFoundError(
            f"storage: {where} has {'no ' if request.node else ''}storage {request.storage!r} for root disks"
        )
    # Places that fit come first; when none does, Proxmox decides, as memory may be overcommitted.
    return sorted(
        fitting, key=lambda one: (_suits(one, request), one.is_default_host, one.free_memory), reverse=True
    )


def _take_named(candidates: Sequence[Candidate], name: str) -> list[Candidate]:
    named = [one for one in candidates if one.node == name]
    if not named:
        raise NodeUnknownError(
            f"node: there is no node {name[:100]!r}",
            violations=[Violation("node", f"there is no node {name[:100]!r}")],
        )
    online = [one for one in named if one.online]
    if not online:
        raise NodeOfflineError(
            f"node: {name!r} is offline", violations=[Violation("node", f"{name!r} is offline")]
        )
    return online


def _take_suitable(online: Sequence[Candidate], request: PlacementRequest) -> list[Candidate]:
    """Return the places whose architecture and devices suit."""
    obstacles = [_describe_unfitness(one, request) for one in online]
    suitable = [one for one, obstacle in zip(online, obstacles, strict=True) if not obstacle]
    if not suitable:
        # Three: clusters have up to dozens of nodes, most of them with the same reason.
        reasons = "; ".join(list(dict.fromkeys(obstacles))[:3])
        violations = [Violation("node", reasons)] if request.node else []
        raise NodeUnsuitableError(f"node: {reasons}", violations=violations)
    return suitable


def _describe_unfitness(one: Candidate, request: PlacementRequest) -> str:
    """Return the reason why the app cannot run at a place, regardless of its free resources; empty when it can."""
    return describe_architecture_obstacle(
        one.node, one.architecture, wanted=request.architectures
    ) or describe_device_obstacle(
        request.devices, host=one.host_name, version=parse_version(one.version), is_full_root=one.is_full_root
    )


def _suits(one: Candidate, request: PlacementRequest) -> bool:
    free = (
        one.storages.get(request.storage, 0.0) if request.storage else max(one.storages.values(), default=0.0)
    )
    return (
        one.free_memory >= request.memory_mb * 1024 * 1024
        and free >= request.disk_gb * _GIB
        and (not request.oci or not describe_oci_obstacle(one))
    )


def describe_oci_obstacle(one: Candidate) -> str:
    """Say why a place runs no OCI images as containers; empty when it does."""
    return find_oci_obstacle(one.version) or one.oci_obstacle


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version: (9, 2, 11)."""
    # Behind a dash is the number of a package build: `7.4-3` is no 7.4.3.
    return tuple(int(part) for part in re.findall(r"\d+", text.split("-", maxsplit=1)[0])[:3])


def find_oci_obstacle(version: str) -> str:
    """Say why a host of this version runs no OCI images as containers; empty when it does."""
    if not version:
        return "the version of Proxmox VE is not known"
    if parse_version(version) < OCI_SINCE:
        return f"OCI images need Proxmox VE 9.1 or newer; the host runs {version}"
    return ""
