"""Archives of containers, as use cases and workflows of other services need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.clients.inventory.archive_values import (
    ArchiveCheckOutcome,
    ArchiveListing,
    BackupStorage,
    ContainerVolume,
    NewArchive,
    NewNetwork,
    RunningBackup,
    VolumeComparison,
)
from services.clients.inventory.restore_plans import RestoreOrder, RestorePlacement
from services.clients.inventory.values import Ref, Task


class Archives(Protocol):
    """Archives of containers and the volumes that they lack. Each method may raise UnavailableError."""

    async def choose_backup_storage(self, ref: Ref, *, owner: str) -> str:
        """Choose where the next archive of a container is made: of the storages that take one, that with most free space.

        Raises:
            PreconditionError: its node has no active storage for archives.
        """

    async def backup_container(self, ref: Ref, *, owner: str, new: NewArchive) -> Task:
        """Begin an archive; a repeated call with the same backup id returns its task, or the archive as result."""

    async def restore_container(
        self,
        ref: Ref,
        *,
        owner: str,
        archive: str,
        storage: str = "",
        lose_volumes: Sequence[str] = (),
        beside: bool = False,
        hostname: str = "",
        network: NewNetwork | None = None,
    ) -> Task:
        """Overwrite a stopped container with an archive, or make a new one of it (`beside`) with this `hostname`.

        Args:
            ref: the container.
            owner: whose mark it carries.
            archive: volume id.
            storage: for the root disk where there is none to take the place of; empty: as in the archive.
            lose_volumes: keys (mp0) of volumes that are not in the archive and may be destroyed.
            beside: make a new container.
            hostname: of the new container.
            network: of the new container; None: the networks of the archive, with addresses of its own.

        Raises:
            PreconditionError: the container has volumes that are neither in the archive nor in `lose_volumes`.
        """

    async def check_archive(self, host_id: int, archive: str, *, limit_s: int) -> ArchiveCheckOutcome:
        """Read an archive on a node, for at most `limit_s` seconds; BusyError while the node reads another one."""

    async def plan_restore(self, order: RestoreOrder) -> RestorePlacement:
        """Choose the node of a new container made of an archive, and say what stands in the way and what is in it.

        Raises:
            NotFoundError: there is no such host, or no such foreign archive.
            PreconditionError: it is switched off.
        """

    async def list_unarchived_volumes(
        self, ref: Ref, *, owner: str, archive: str = ""
    ) -> Sequence[ContainerVolume]:
        """List the volumes of a container that an archive lacks; without one, that an archive made now would lack.

        Raises:
            NotFoundError: there is no container, or no such archive.
            PreconditionError: the archive cannot be restored over it with the host's credentials.
        """

    async def compare_volumes(self, ref: Ref, *, owner: str, archive: str) -> VolumeComparison:
        """Compare the volumes of a container with those of an archive; raises as `list_unarchived_volumes`."""

    async def list_archives(self, ref: Ref, *, storage: str = "") -> ArchiveListing:
        """List the archives of a container, or with the vmid 0 those of all containers of the host.

        With `storage`, those on it alone: complete where it answers, and not while it is disabled.
        """

    async def list_backup_storages(self, host_id: int) -> Sequence[BackupStorage]:
        """List the storages of a host by node, with those that do not take backups.

        Raises:
            NotFoundError: there is no such host.
        """

    async def list_running_backups(self, host_id: int, node: str) -> Sequence[RunningBackup]:
        """List the backups (vzdump) that run on a node, those of others too."""

    async def update_archive(
        self, host_id: int, volume_id: str, *, protected: bool | None = None, notes: str | None = None
    ) -> None:
        """Change protection and notes of an archive where they are not None."""

    async def delete_archive(self, host_id: int, volume_id: str) -> Task:
        """Begin to delete an archive; an archive that is gone needs no task."""
