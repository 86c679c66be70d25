"""Records of removed apps, which stay as long as there are backups of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.clients.backups.interface import Backups
from services.common.core.clock import now

_BATCH = 500  # ids in one question to backups
# Younger records stay: the end of a backup that was being made may not have reached backups yet.
SETTLED = timedelta(days=1)


class Records(Protocol):
    """Stored records of removed apps."""

    async def list_removed(self, *, before: datetime, after: str, limit: int) -> Sequence[str]:
        """List ids of apps that were removed before a time, in order, after one of them."""

    async def forget_removed(self, app_ids: Sequence[str]) -> int:
        """Delete records, and return how many there were."""


async def forget_removed_apps(records: Records, backups: Backups, *, settled: timedelta = SETTLED) -> int:
    """Delete the records, secrets included, of apps without backups, and return how many there were.

    Raises:
        UnavailableError: backups does not answer.
    """
    last, forgotten = "", 0
    while found := await records.list_removed(before=now() - settled, after=last, limit=_BATCH):
        # The answer leaves out apps without backups; an error leaves every record as it is.
        counts = await backups.count_backups(found)
        if gone := [app_id for app_id in found if app_id not in counts]:
            forgotten += await records.forget_removed(gone)
        last = found[-1]
    return forgotten
