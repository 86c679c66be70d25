"""Places that a container may move to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TargetNode:
    """A node of a container's host.

    Attributes:
        obstacle: why the container does not fit there; empty: it does.
        warning: what speaks against it where it fits; empty: nothing.
    """

    node: str
    online: bool
    obstacle: str = ""
    warning: str = ""
    free_memory: float = 0.0


@dataclass(frozen=True)
class MigrationTargets:
    """The node that a container is on, and the others of its host, those that it fits first."""

    node: str
    targets: tuple[TargetNode, ...]

    def find(self, node: str) -> TargetNode | None:
        """Find one of the other nodes by its name."""
        return next((one for one in self.targets if one.node == node), None)
