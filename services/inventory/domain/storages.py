"""Storages as nodes see them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StorageOnNode:
    """A storage as a node sees it; sizes in bytes, 0 where Proxmox does not say.

    Attributes:
        type: of Proxmox's plugin: dir, zfspool and so on.
        content: kinds of content that it takes, sorted.
        max_archives: archives of a container after which Proxmox refuses another; 0: no limit, or not read.
    """

    name: str
    node: str
    type: str = ""
    content: tuple[str, ...] = ()
    shared: bool
    available: bool
    total: float
    used: float
    max_archives: int = 0

    @property
    def takes_backups(self) -> bool:
        """Whether archives of containers may be on it."""
        return "backup" in self.content
