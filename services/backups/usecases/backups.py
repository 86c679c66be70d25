"""Reads and changes of existing backups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.backups.domain.entities import Backup, BackupCount, BackupFilter, BackupStats
from services.backups.domain.interfaces import BackupKey, BackupStore
from services.backups.domain.preconditions import check_unused
from services.backups.usecases.context import BackupDependencies, BackupPage, BackupRequester


async def find_backups_version(
    store: BackupStore, requester: BackupRequester, *, app_id: str, page: BackupPage
) -> tuple[int, list[int], Sequence[object]]:
    """Return the total of an app's backups, the ids of a page of them, and its version, by which it is cached."""
    total, rows = await store.find_page(
        app_id, owner_id=requester.owner_id, offset=page.offset, limit=page.size, after=page.after
    )
    return total, [row[1] for row in rows], rows


async def list_backups(
    dependencies: BackupDependencies, requester: BackupRequester, *, app_id: str, page: BackupPage
) -> tuple[int, list[Backup]]:
    """Return the total of an app's backups and a page of them, newest first.

    Backups carry their owner and outlive their app, so apps is called only where there are none.

    Raises:
        NotFoundError: there are no backups and no such app of the requester.
    """
    total, found = await dependencies.store.list_backups(
        app_id, owner_id=requester.owner_id, offset=page.offset, limit=page.size, after=page.after
    )
    # Only then is it open whether the app exists: a call to apps for each list would double its time.
    if not total:
        await dependencies.apps.get_app_hold(app_id, user_id=requester.owner_id)
    return total, found


async def list_all_backups(
    store: BackupStore, wanted: BackupFilter, *, page: BackupPage
) -> tuple[int, list[Backup]]:
    """Return the total of the backups of all apps, deleted ones included, and a page of them, newest first."""
    return await store.list_all_backups(wanted, offset=page.offset, limit=page.size, after=page.after)


async def get_backup(store: BackupStore, *, key: BackupKey) -> Backup:
    """Return one backup, also of a deleted app.

    Raises:
        BackupNotFoundError: there is none of this owner.
    """
    return await store.get_backup(key)


async def get_backup_stats(
    dependencies: BackupDependencies, requester: BackupRequester, *, app_id: str
) -> BackupStats:
    """Return counts and sizes of an app's backups.

    Raises:
        NotFoundError: there are no backups and no such app of the requester.
    """
    stats = await dependencies.store.get_stats(app_id, owner_id=requester.owner_id)
    if not stats.total:
        await dependencies.apps.get_app_hold(app_id, user_id=requester.owner_id)
    return stats


async def update_backup(
    dependencies: BackupDependencies, *, key: BackupKey, protected: bool | None, notes: str | None
) -> Backup:
    """Change protection and notes, of the archive first and then of the backup.

    Raises:
        BackupNotFoundError: there is none of this owner.
        BackupInUseError: it is being made, restored or deleted.
    """
    backup = await dependencies.store.get_backup(key)
    check_unused(backup)
    if backup.volume_id and (protected is not None or notes is not None):
        # Proxmox first: a protection that is shown must exist on the storage.
        await dependencies.containers.update_archive(
            backup.host_id, backup.volume_id, protected=protected, notes=notes
        )
    return await dependencies.store.update_backup(key, protected=protected, notes=notes)


async def delete_backup(store: BackupStore, requester: BackupRequester, *, key: BackupKey) -> Backup:
    """Mark the backup deleting and let a worker delete its archive.

    Raises:
        BackupNotFoundError: there is none of this owner.
        BackupProtectedError: it is protected.
        BackupInUseError: it is in use.
    """
    return await store.begin_delete(key, operation_id=requester.request_id, requested_by=requester.user.id)


async def count_backups(
    dependencies: BackupDependencies, app_ids: Sequence[str], *, operation_ids: Sequence[str] = ()
) -> Sequence[BackupCount]:
    """Count the backups of each of some apps, and find those of some operations; apps without any are left out.

    An app that has only an external archive counts with no backup of the platform.
    """
    counts = {
        one.app_id: one
        for one in await dependencies.store.count_backups(app_ids, operation_ids=operation_ids)
    }
    for app_id, archive in (await dependencies.storages.list_external(app_ids)).items():
        known = counts.get(app_id, BackupCount(app_id, 0, 0, 0))
        counts[app_id] = replace(known, external_at=archive.created_at, external_storage=archive.storage)
    return list(counts.values())
