"""Refresh of what apps shows of its backups: the newest one, and whether the last update can be undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.apps.domain.changes import BackupState
from services.clients.backups.interface import Backups
from services.clients.backups.values import AppBackupCount, LastBackup, OverdueRun

_BATCH = 500  # apps of one request to backups
_NONE = AppBackupCount(0, 0)


class LastBackups(Protocol):
    """Stored facts about the backups of apps."""

    async def list_app_ids(self, *, owner: int | None) -> Sequence[str]:
        """List the ids of the apps of an owner; None: of all."""

    async def list_current_upgrades(self, app_ids: Collection[str]) -> Mapping[str, str]:
        """Return the ids of the updates that apps owe their versions to, by app."""

    async def note_overdue(self, runs: Sequence[OverdueRun]) -> int:
        """Note which apps have a backup that is overdue, and return for how many apps that changed."""

    async def note_backups(self, states: Sequence[BackupState]) -> int:
        """Note the backups of apps, and return for how many of them that changed anything."""


async def refresh_last_backups(
    store: LastBackups, backups: Backups, *, app_ids: Sequence[str] | None = None
) -> int:
    """Read the backups of some apps (None: of all) and note them; return for how many of them that changed anything.

    What backups has now counts, and not what a message said: messages may come late or twice.

    Raises:
        UnavailableError: backups does not answer.
    """
    wanted = await store.list_app_ids(owner=None) if app_ids is None else app_ids
    changed = 0
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        upgrades = await store.list_current_upgrades(batch)
        counts = await backups.count_backups(batch, operation_ids=list(upgrades.values()))
        states = [
            _describe(app_id, counts.get(app_id, _NONE), upgrade_id=upgrades.get(app_id, ""))
            for app_id in batch
        ]
        changed += await store.note_backups([one for one in states if one is not None])
    return changed


async def refresh_overdue_backups(store: LastBackups, backups: Backups) -> int:
    """Read which apps have a backup that is overdue and note it; return for how many apps that changed.

    Raises:
        UnavailableError: backups does not answer.
    """
    newest: dict[str, OverdueRun] = {}
    for run in await backups.list_overdue_backups():
        known = newest.get(run.app_id)
        if (
            known is None or run.since < known.since
        ):  # of several policies, the one that is overdue for longest
            newest[run.app_id] = run
    return await store.note_overdue(list(newest.values()))


def _find_last(count: AppBackupCount) -> LastBackup | None:
    """Return the newest backup of an app, of the platform or external."""
    return max(
        (one for one in (count.last, count.external) if one is not None),
        key=lambda one: one.completed_at,
        default=None,
    )


def _describe(app_id: str, count: AppBackupCount, *, upgrade_id: str) -> BackupState | None:
    """Return the state of an app's backups; None where a release of backups that does not tell has answered."""
    if count.completed and count.last is None:
        return None
    return BackupState(
        app_id=app_id,
        last=_find_last(count),
        upgrade_id=upgrade_id,
        is_restorable=upgrade_id in count.restorable,
    )
