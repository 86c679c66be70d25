"""Restores as a new container, as inventory plans them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.common.core.errors import PreconditionError


@dataclass(frozen=True, kw_only=True)
class RestoreOrder:
    """A restore to plan.

    Attributes:
        source_host_id: the host that made the archive.
        archive: its volume id there.
        backup_id: in its notes; empty: not known.
        size: bytes; 0: not known.
        host_id: of the new container.
        node: for it; empty: any that it fits.
        preferred_node: the one that is taken if it fits, where none is named.
        storage: wanted for the root disk.
        required_storage: that the root disk must be on; empty: any.
        foreign: the archive may be of another platform; its container gets a network and limits of its own.
    """

    source_host_id: int
    archive: str
    host_id: int
    backup_id: str = ""
    size: float = 0
    node: str = ""
    preferred_node: str = ""
    storage: str = ""
    required_storage: str = ""
    foreign: bool = False


@dataclass(frozen=True, kw_only=True)
class ArchivedContainer:
    """An archive, and the container in it; sizes in bytes.

    Attributes:
        size: of the archive.
        owner: the app that its configuration names, of any platform; empty: none.
        architecture: as Proxmox names it; empty: not known.
        disk_gb: GB, of the root disk.
        required: sum of the nominal sizes of the volumes.
        omitted: descriptions of volumes that are made empty, and of mounts that are not made.
    """

    size: int = 0
    created_at: datetime | None = None
    vmid: int = 0
    owner: str = ""
    hostname: str = ""
    architecture: str = ""
    disk_gb: float = 0
    required: float = 0
    omitted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RestorePlacement:
    """Place of a new container that is made of an archive; sizes in bytes.

    Attributes:
        archive: volume id on this host; empty where it has none.
        storage: of the root disk.
        required: on the storage with least room left.
        free: there.
        volumes, networks, warnings: for a person.
        obstacles: why it is not possible; empty: it is.
        archived: empty where the archive was not found or cannot be read.
    """

    host_id: int
    host_name: str = ""
    node: str = ""
    archive: str = ""
    storage: str = ""
    required: float = 0
    free: float = 0
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    archived: ArchivedContainer = field(default_factory=ArchivedContainer)

    def check(self) -> None:
        """Refuse a restore that is not possible.

        Raises:
            RestoreTargetUnfitError: naming every obstacle.
        """
        # All at once: who frees room and is refused again for a missing bridge has lost the time of both.
        if self.obstacles:
            where = self.host_name or f"host {self.host_id}"
            raise RestoreTargetUnfitError(
                f"the archive cannot be restored as a new container on {where}: {'; '.join(self.obstacles)}"
            )


class RestoreTargetUnfitError(PreconditionError):
    """The host or node does not see the archive, or the container does not fit there."""
