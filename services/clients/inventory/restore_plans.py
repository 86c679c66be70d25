"""Restores as a new container, as inventory plans them."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    source_host_id: int
    archive: str
    host_id: int
    backup_id: str = ""
    size: float = 0
    node: str = ""
    preferred_node: str = ""
    storage: str = ""


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
