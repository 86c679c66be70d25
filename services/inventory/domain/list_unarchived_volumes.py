"""ListUnarchivedVolumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from services.inventory.domain.disks import Disk, check_host_paths, find_unarchived


class Disks(Protocol):
    """The configurations of a container and of archives."""

    async def read_container(self) -> Mapping[str, Any]:
        """Read the configuration of the container as it is."""

    async def read_archive(self, volume_id: str) -> Mapping[str, Any]:
        """Read the configuration in an archive."""

    async def may_restore_host_paths(self) -> bool:
        """Whether the host's credentials may make bind mounts and devices."""


async def list_unarchived_volumes(disks: Disks, *, archive: str) -> list[Disk]:
    """List the volumes of a container that an archive lacks; without an archive, those that a backup would lack.

    Raises:
        MountsNotRestorableError: it has bind mounts or devices, which only root@pam may restore.
    """
    config = await disks.read_container()
    if not archive:
        return find_unarchived(config)
    check_host_paths(config, may_restore=await disks.may_restore_host_paths())
    return find_unarchived(config, await disks.read_archive(archive))
