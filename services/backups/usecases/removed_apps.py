"""Backups of deleted apps: recording the deletion, and deleting those that go with their app."""

from __future__ import annotations

import uuid

from services.backups.domain.interfaces import BackupKey, BackupStore
from services.clients.apps.interface import Apps
from services.common.core.errors import BusyError, NotFoundError

_BATCH = 500  # ids of one request to apps, the most that it takes, and deletions begun in one round


async def delete_requested_backups(store: BackupStore) -> int:
    """Begin to delete the backups that go with their app, and return how many.

    Backups that are in use or protected are skipped; a later run finds those that are free then.
    """
    begun = 0
    for backup in await store.list_deletable(limit=_BATCH):
        key = BackupKey(backup.app_id, backup.id, None)
        try:
            await store.begin_delete(key, operation_id=uuid.uuid4().hex, requested_by=backup.owner_id)
        except (BusyError, NotFoundError):
            continue
        begun += 1
    return begun


async def note_removed_apps(store: BackupStore, apps: Apps) -> int:
    """Record which apps were deleted, since their events may have been lost, and return how many."""
    last, count = "", 0
    while known := await store.list_app_ids(after=last, limit=_BATCH):
        for app_id in await apps.find_removed_apps(known):
            # An id of its own: an event that still comes is another message, and changes nothing more.
            await store.note_app_removed(app_id, message_id=f"lookup-{app_id}")
            count += 1
        last = known[-1]
    return count
