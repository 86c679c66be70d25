"""The state of everything that a user may see at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.clients.inventory.values import NodeCapacity


@dataclass(frozen=True)
class OperationCounts:
    """Numbers of operations that run, and of those that failed or were given up."""

    running: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Counts of apps and operations, and the capacity of the nodes.

    Attributes:
        updates: apps whose catalog item has a newer revision.
        without_backup: ids of apps without a backup that can be restored; None: not known.
        nodes: of all hosts; None: not known.
    """

    apps_by_status: Mapping[str, int]
    updates: int
    operations: OperationCounts
    without_backup: Sequence[str] | None
    nodes: Sequence[NodeCapacity] | None
