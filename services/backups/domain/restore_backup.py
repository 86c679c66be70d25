"""RestoreBackup in place: what may be restored over an app, and beginning it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.backups.domain.archive_presence import describe_gone
from services.backups.domain.entities import AppFacts, Backup, Place, UnarchivedVolume
from services.backups.domain.errors import (
    AppRemovedError,
    ArchiveGoneError,
    BackupElsewhereError,
    RestoreDestroysVolumesError,
)
from services.backups.domain.interfaces import Apps, BackupKey, BackupStore, Containers
from services.backups.domain.usecases import Asker, check_restorable, lock_and_start
from services.common.core.errors import NotFoundError, UnavailableError


@dataclass(frozen=True)
class Neighbours:
    """What the use case works with."""

    store: BackupStore
    apps: Apps
    containers: Containers


async def restore_backup(
    neighbours: Neighbours, asker: Asker, *, key: BackupKey, lose_volumes: Collection[str] = ()
) -> Backup:
    """Mark the backup restoring, lock the app, and let a worker begin.

    A host that does not answer refuses nothing: the worker waits for it and checks the same before it stops the app.

    Raises:
        BackupNotCompletedError: it has no archive.
        BackupElsewhereError: its archive is on another host than the app.
        ArchiveGoneError: its archive is gone from the storage.
        RestoreDestroysVolumesError: volumes are neither in the archive nor named by `lose_volumes`.
        AppRemovedError: the app was deleted; with a new hostname it is restored beside.
        BusyError: the backup or the app is busy.
    """
    store, apps = neighbours.store, neighbours.apps
    backup = await store.get_backup(key)
    try:
        app = await apps.get_app(key.app_id, user_id=asker.owner_id)
    except NotFoundError:
        raise AppRemovedError(
            f"the app {key.app_id} was deleted, so there is nothing to restore backup {backup.id} over; "
            "restore it as a new app by naming a new_hostname"
        ) from None
    check_on_host(backup, app)
    if (await store.get_standing(asker.request_id)).status == "unknown":
        check_restorable(backup)
        await _check_proxmox(neighbours, backup, app, lose_volumes=lose_volumes)
    backup = await store.begin_restore(
        key,
        operation_id=asker.request_id,
        app=app,
        requested_by=asker.user_id,
        lose_volumes=lose_volumes,
    )
    await lock_and_start(store, apps, asker, app_id=key.app_id, kind="restore", made_by=backup.mark)
    return backup


async def _check_proxmox(
    neighbours: Neighbours, backup: Backup, app: AppFacts, *, lose_volumes: Collection[str]
) -> None:
    containers, place = neighbours.containers, Place(app.host_id, app.vmid, app.node)
    try:
        archives, complete = await containers.list_archives(Place(backup.host_id, backup.vmid, app.node))
        if complete and all(one.volume_id != backup.volume_id for one in archives):
            reason = describe_gone(backup.volume_id)
            await neighbours.store.note_presence([backup.id], present=False, error=reason)
            raise ArchiveGoneError(f"backup {backup.id} cannot be restored: {reason}")
        volumes = await containers.list_unarchived(place, owner=app.app_id, archive=backup.volume_id)
    except (UnavailableError, NotFoundError):
        return  # the worker waits for the host; a container that is gone has nothing to lose
    check_volumes(volumes, backup_id=backup.id, lose_volumes=lose_volumes)


def check_volumes(
    volumes: Sequence[UnarchivedVolume], *, backup_id: int, lose_volumes: Collection[str]
) -> None:
    """Refuse to destroy volumes that are not in the archive.

    Raises:
        RestoreDestroysVolumesError: naming those that the request does not.
    """
    lost = [volume for volume in volumes if volume.key not in lose_volumes]
    if lost:
        raise RestoreDestroysVolumesError(
            f"restoring backup {backup_id} would destroy volumes that are not in its archive: "
            f"{', '.join(volume.description for volume in lost)}. Save their data and name them in lose_volumes, "
            "or restore as a new app by naming a new_hostname"
        )


def check_on_host(backup: Backup, app: AppFacts) -> None:
    """Refuse to restore across Proxmox hosts, whose storages do not see each other.

    Raises:
        BackupElsewhereError: naming both hosts.
    """
    if backup.host_id != app.host_id:
        raise BackupElsewhereError(
            f"backup {backup.id} is on Proxmox host {backup.host_id}, the app on host {app.host_id}"
        )
