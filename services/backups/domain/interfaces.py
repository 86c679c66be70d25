"""Interface of the store that use cases and jobs depend on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.backups.domain.entities import (
    Backup,
    BackupCount,
    BackupFilter,
    BackupOrder,
    BackupStats,
    OperationStanding,
)
from services.clients.apps.values import AppHold
from services.common.operations.model import Operation


@dataclass(frozen=True)
class NewBackup:
    """A backup to be made of an app, by the operation `operation_id`, for the user `requested_by`.

    `policy_id` names the policy whose schedule requested it; None: a person or another operation did. `copy_of` is the
    backup after which it is made on a second storage. `is_held`: an operation of apps of the same id has locked the app.
    """

    operation_id: str
    app: AppHold
    order: BackupOrder
    requested_by: int
    policy_id: int | None = None
    copy_of: int | None = None
    is_held: bool = False


@dataclass(frozen=True)
class BackupKey:
    """A backup of an app as a caller names it; `owner_id` None for those who see all."""

    app_id: str
    backup_id: int
    owner_id: int | None


class BackupStore(Protocol):
    """Backups and their operations.

    Methods that begin an operation record it with a delay of 15 seconds, after which a worker resumes it even if the
    process that began it dies; `start_operation` lets a worker take it now, `withdraw_operation` removes it. During that
    delay the request that recorded it is the only one that may do so: others are refused.
    """

    async def list_backups(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int, after: int = 0
    ) -> tuple[int, list[Backup]]:
        """Return the total of an app's backups and a page of them, newest first; behind one where `after` names it."""

    async def list_all_backups(
        self, wanted: BackupFilter, *, offset: int, limit: int, after: int = 0
    ) -> tuple[int, list[Backup]]:
        """Return the total of the backups of all apps, deleted ones included, and a page of them, newest first.

        With `after`, the page begins behind the backup of that id.
        """

    async def count_backups(
        self, app_ids: Sequence[str], *, operation_ids: Sequence[str] = ()
    ) -> Sequence[BackupCount]:
        """Count the backups of each of some apps, and find those of some operations; apps without any are left out."""

    async def list_deletable(self, *, limit: int) -> Sequence[Backup]:
        """List backups to be deleted with their app that are neither in use nor protected."""

    async def find_page(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int, after: int = 0
    ) -> tuple[int, Sequence[Sequence[Any]]]:
        """Return the total of an app's backups and the version of a page of them, which changes with any of its rows."""

    async def get_backup(self, key: BackupKey) -> Backup:
        """Return one backup.

        Raises:
            BackupNotFoundError: there is none.
        """

    async def get_stats(self, app_id: str, *, owner_id: int | None) -> BackupStats:
        """Return counts and sizes of an app's backups."""

    async def update_backup(self, key: BackupKey, *, protected: bool | None, notes: str | None) -> Backup:
        """Change the values that are not None.

        Raises:
            BackupNotFoundError: there is none.
        """

    async def add_backup(self, new: NewBackup) -> Backup:
        """Add a backup and its operation; the same one for a known operation id.

        Raises:
            OperationBeginningError: another request has recorded it and begins it.
            AppBusyError: another operation of the app is unfinished.
        """

    async def begin_restore(
        self,
        key: BackupKey,
        *,
        operation_id: str,
        app: AppHold,
        requested_by: int,
        lose_volumes: Collection[str] = (),
        safety: bool = False,
    ) -> Backup:
        """Mark a completed backup restoring and add the operation; nothing more for a known operation id.

        With `safety`, the app is backed up as it is first.

        Raises:
            BackupNotFoundError: there is none.
            BackupNotCompletedError: it is not completed.
            BackupInUseError: it is in use.
            AppBusyError: another operation of the app is unfinished.
            OperationBeginningError: another request has recorded this one and begins it.
        """

    async def begin_beside(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """Mark a completed backup restoring while apps makes a new app of it; nothing more for a known operation id.

        Raises:
            BackupNotFoundError: there is none.
            BackupNotCompletedError: it is not completed.
            BackupInUseError: it is in use.
            OperationBeginningError: another request has recorded the operation and begins it.
        """

    async def begin_delete(
        self, key: BackupKey, *, operation_id: str, requested_by: int, beside: int | None = None
    ) -> Backup:
        """Mark a backup deleting, add the operation and wake a worker.

        Args:
            key: the backup.
            operation_id: of the deletion.
            requested_by: a user.
            beside: another backup of the app that must be restorable; None: it does not matter what is left.

        Raises:
            BackupNotFoundError: there is none, or not the other one.
            PreconditionError: the other one cannot be restored.
            BackupProtectedError: it is protected.
            BackupInUseError: it is in use.
        """

    async def get_operation_backup(self, operation_id: str) -> Backup:
        """Return the backup that an operation made.

        Raises:
            BackupNotFoundError: it made none, or the backup was deleted.
        """

    async def is_waiting(self, operation_id: str) -> bool:
        """Whether an operation is recorded, and neither started nor due."""

    async def start_operation(self, operation_id: str) -> None:
        """Let a worker take an operation now."""

    # Apps refused the lock: a row that stayed would be shown as a backup that failed.
    async def withdraw_operation(self, operation_id: str) -> None:
        """Remove an operation that is waiting, with the backup or status that came with it; others stay."""

    async def list_dead_letters(
        self, *, offset: int, limit: int, after: str = ""
    ) -> tuple[int, list[Operation]]:
        """Return the total of the operations that were given up, and a page of them, newest first.

        Raises:
            InvalidError: there is no operation `after` that the page begins behind.
        """

    async def replay_operation(self, operation_id: str) -> Operation:
        """Resume an operation that was given up.

        Raises:
            OperationNotFoundError: there is none.
            OperationNotDeadError: it was not given up.
        """

    async def request_cancel(self, operation_id: str) -> bool:
        """Request the cancellation of an operation; False when it has ended."""

    async def revive_operations(self) -> int:
        """Let workers resume the operations that were given up, and return how many."""

    async def get_standing(self, operation_id: str) -> OperationStanding:
        """Return the standing of an operation."""

    async def list_archived(self, *, after: int, limit: int) -> Sequence[Backup]:
        """List completed and missing backups with an id above `after`, by id."""

    async def note_presence(self, backup_ids: Collection[int], *, present: bool, error: str = "") -> None:
        """Make completed backups missing, for the reason `error`, or missing ones completed; others stay."""

    async def note_verification(self, backup_id: int, verification: str, *, encrypted: bool) -> None:
        """Record what a Proxmox Backup Server says of a backup's archive."""

    async def list_app_ids(self, *, after: str, limit: int) -> Sequence[str]:
        """List the ids above `after` of apps that have backups and are not known to be deleted."""

    async def hand_over(self, owner_id: int, *, to: int) -> None:
        """Give every backup of a user to another one, those of deleted apps included."""

    async def note_app_removed(self, app_id: str, *, message_id: str, delete: bool = False) -> None:
        """Mark an app's backups as those of a deleted app; once per message.

        With `delete`, those that are not protected are marked for deletion.
        """
