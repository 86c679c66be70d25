"""Records of removed apps: kept as long as there are backups of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.apps.domain.neighbours import Backups
from services.common.core.clock import now

_BATCH = 500  # ids in one question to backups
# Younger records are kept: backups may not have heard yet that a backup which is being made has ended.
SETTLED = timedelta(days=1)


class Records(Protocol):
    """Where they are kept."""

    async def list_removed(self, *, before: datetime, after: str, limit: int) -> Sequence[str]:
        """Ids of apps that were removed before a time, by id, after one of them."""

    async def forget_removed(self, app_ids: Sequence[str]) -> int:
        """Forget records; how many there were."""


async def forget_removed_apps(records: Records, backups: Backups, *, settled: timedelta = SETTLED) -> int:
    """Forget the records, secrets included, of apps that have no backup any more; how many those were.

    Raises:
        UnavailableError: backups does not answer.
    """
    last, forgotten = "", 0
    while found := await records.list_removed(before=now() - settled, after=last, limit=_BATCH):
        counts = await backups.count(found)
        if gone := [app_id for app_id in found if app_id not in counts]:
            forgotten += await records.forget_removed(gone)
        last = found[-1]
    return forgotten
