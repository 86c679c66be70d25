"""Places that a container may move to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TargetNode:
    """A node of a container's host; `obstacle`: why the container does not fit there, empty: it does."""

    node: str
    online: bool
    obstacle: str = ""
    free_memory: float = 0.0


@dataclass(frozen=True)
class MigrationTargets:
    """The node that a container is on, and the others of its host, those that it fits first."""

    node: str
    targets: tuple[TargetNode, ...]
