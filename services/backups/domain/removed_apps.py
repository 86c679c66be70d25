"""Backups of apps that are gone, or about to go: how many there are, and deleting those that go with their app."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from services.backups.domain.entities import BackupCount
from services.backups.domain.interfaces import Apps, BackupKey, BackupStore
from services.common.core.errors import BusyError, NotFoundError

_BATCH = 500  # ids in one question to apps, and deletions begun in one round


async def count_backups(store: BackupStore, app_ids: Sequence[str]) -> Sequence[BackupCount]:
    """How many backups each of some apps has, of those that have any."""
    return await store.count_backups(app_ids)


async def delete_requested_backups(store: BackupStore) -> int:
    """Begin to delete the backups that are to go with their app; how many that were.

    One that is read or deleted meanwhile, or protected, is passed over; what is free again later is found later.
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
    """Ask apps which apps are gone, for their events may have been lost; how many were."""
    last, count = "", 0
    while known := await store.list_app_ids(after=last, limit=_BATCH):
        for app_id in await apps.find_removed(known):
            await store.note_app_removed(app_id, message_id=f"asked-{app_id}")
            count += 1
        last = known[-1]
    return count
