"""Backups, as use cases and workflows of apps need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.clients.backups.values import AppBackupCount, AppBackups, HeldBackup, OverdueRun


class Backups(Protocol):
    """BackupsInternalService. Each method may raise UnavailableError."""

    async def create_held_backup(
        self, app_id: str, operation_id: str, *, notes: str, requested_by: int
    ) -> HeldBackup:
        """Request a backup for an operation that has locked the app; a repeated call returns the same backup.

        Raises:
            PreconditionError: another operation has locked the app, or none.
        """

    async def get_held_backup(self, operation_id: str) -> HeldBackup:
        """Return the backup that an operation requested.

        Raises:
            NotFoundError: there is none, or none any more.
        """

    # One call for a page of apps: a call for each would make the list as slow as its length.
    async def count_backups(
        self, app_ids: Sequence[str], *, operation_ids: Sequence[str] = ()
    ) -> Mapping[str, AppBackupCount]:
        """Count the backups of each of up to 500 apps, and find those of up to 500 operations.

        Apps without any backup are left out.
        """

    async def find_exportable_backup(self, app_id: str, *, backup_id: int | None = None) -> AppBackups:
        """Return a backup of an app or, without a number, the newest that can be restored; and the app's policies.

        Raises:
            NotFoundError: the app has no such backup.
            PreconditionError: it has no archive, or none any more.
            BusyError: it is being deleted.
        """

    async def list_overdue_backups(self) -> Sequence[OverdueRun]:
        """List the backups that are overdue by the schedules of policies, by app and time."""

    async def cancel_holding_operation(self, operation_id: str) -> str:
        """Request the cancellation of an operation of backups, and return its standing."""

    async def get_holding_operation(self, operation_id: str) -> str:
        """Return the standing of an operation of backups: unknown, unfinished, succeeded or failed."""
