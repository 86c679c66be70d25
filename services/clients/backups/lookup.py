"""Reads of backups that callers share."""

from __future__ import annotations

from services.clients.backups.interface import Backups
from services.clients.backups.values import HeldBackup
from services.common.core.errors import NotFoundError


async def find_held_backup(backups: Backups, operation_id: str) -> HeldBackup | None:
    """Return the backup that an operation requested; None when there is none, or none any more."""
    try:
        return await backups.get_held_backup(operation_id)
    # Only this one: while backups is away, whether there is a backup is not known.
    except NotFoundError:
        return None
