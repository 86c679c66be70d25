"""What the use cases and workflows need of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.backups.domain.entities import (
    AppFacts,
    AppProbe,
    Archive,
    Backup,
    BackupCount,
    BackupFilter,
    BackupOrder,
    BackupStats,
    BesideOrder,
    BesideStarted,
    OperationStanding,
    Place,
    ProgressReport,
    Task,
    TaskUpdate,
    UnarchivedVolume,
)
from services.common.operations.view import Operation


@dataclass(frozen=True)
class NewBackup:
    """A backup to be made of an app, by the operation `operation_id`, for the user `requested_by`."""

    operation_id: str
    app: AppFacts
    order: BackupOrder
    requested_by: int


@dataclass(frozen=True)
class BackupKey:
    """A backup of an app as a caller names it; `owner_id` None for those who see all."""

    app_id: str
    backup_id: int
    owner_id: int | None


class BackupStore(Protocol):
    """Backups and their operations.

    What begins an operation writes it down so that a worker takes it up after 15 seconds even if the process that
    began it dies; `start_operation` lets a worker take it up now, `withdraw_operation` makes it as if never asked.
    """

    async def list_backups(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int
    ) -> tuple[int, list[Backup]]:
        """How many backups an app has, and a page of them, newest first."""

    async def list_all_backups(
        self, wanted: BackupFilter, *, offset: int, limit: int
    ) -> tuple[int, list[Backup]]:
        """How many backups there are of all apps, also of deleted ones, and a page of them, newest first."""

    async def count_backups(self, app_ids: Sequence[str]) -> Sequence[BackupCount]:
        """How many backups each of some apps has, of those that have any."""

    async def list_deletable(self, *, limit: int) -> Sequence[Backup]:
        """Backups that are to be deleted with their app, are free and are not protected."""

    async def find_page(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int
    ) -> tuple[int, Sequence[object]]:
        """How many backups an app has, and by what the state of each on a page is told from others."""

    async def get_backup(self, key: BackupKey) -> Backup:
        """One backup.

        Raises:
            BackupNotFoundError: there is none.
        """

    async def get_stats(self, app_id: str, *, owner_id: int | None) -> BackupStats:
        """Counts and sizes of an app's backups."""

    async def update_backup(self, key: BackupKey, *, protected: bool | None, notes: str | None) -> Backup:
        """Change what is not None.

        Raises:
            BackupNotFoundError: there is none.
        """

    async def add_backup(self, new: NewBackup) -> Backup:
        """Add a backup and its operation; the same one for a known operation id.

        Raises:
            AppBusyError: another operation of the app is unfinished.
        """

    async def begin_restore(
        self,
        key: BackupKey,
        *,
        operation_id: str,
        app: AppFacts,
        requested_by: int,
        lose_volumes: Collection[str] = (),
    ) -> Backup:
        """Mark a completed backup restoring and add the operation; nothing more for a known operation id.

        Raises:
            BackupNotFoundError: there is none.
            BackupNotCompletedError: it is not completed.
            BackupInUseError: it is in use.
            AppBusyError: another operation of the app is unfinished.
        """

    async def begin_beside(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """Mark a completed backup restoring while apps makes a new app of it; nothing more for a known operation id.

        Raises:
            BackupNotFoundError: there is none.
            BackupNotCompletedError: it is not completed.
            BackupInUseError: it is in use.
        """

    async def begin_delete(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """Mark a backup deleting, add the operation and wake a worker.

        Raises:
            BackupNotFoundError: there is none.
            BackupProtectedError: it is protected.
            BackupInUseError: it is in use.
        """

    async def get_operation_backup(self, operation_id: str) -> Backup:
        """The backup that an operation made.

        Raises:
            BackupNotFoundError: it made none, or that was deleted.
        """

    async def is_waiting(self, operation_id: str) -> bool:
        """Whether an operation is written down and no worker has taken it up."""

    async def start_operation(self, operation_id: str) -> None:
        """Let a worker take an operation up now."""

    async def withdraw_operation(self, operation_id: str) -> None:
        """Take back an operation that no worker has taken up, with the backup or mark that came with it."""

    async def list_dead_letters(self, *, offset: int, limit: int) -> tuple[int, list[Operation]]:
        """How many operations were given up, and a page of them, newest first."""

    async def replay_operation(self, operation_id: str) -> Operation:
        """Take up an operation again that was given up.

        Raises:
            OperationNotFoundError: there is none.
            OperationNotDeadError: it was not given up.
        """

    async def request_cancel(self, operation_id: str) -> bool:
        """Ask an operation to stop; False when it has ended."""

    async def revive_operations(self) -> int:
        """Let workers clean up again after what was given up; how many operations that were."""

    async def get_standing(self, operation_id: str) -> OperationStanding:
        """How an operation stands."""

    async def list_archived(self, *, after: int, limit: int) -> Sequence[Backup]:
        """Completed and missing backups with an id above `after`, by id."""

    async def note_presence(self, backup_ids: Collection[int], *, present: bool, error: str = "") -> None:
        """Make completed backups missing, for the reason `error`, or missing ones completed; others stay."""

    async def list_app_ids(self, *, after: str, limit: int) -> Sequence[str]:
        """Apps that have backups and are not known to be gone, by id, after one of them."""

    async def hand_over(self, owner_id: int, *, to: int) -> None:
        """Give every backup of a user to another one, also of apps that are gone."""

    async def note_app_removed(self, app_id: str, *, message_id: str, delete: bool = False) -> None:
        """Mark an app's backups as those of an app that is gone; once per message.

        With `delete`, those that are not protected are to be deleted.
        """


class Apps(Protocol):
    """What apps does for us. Everything may raise UnavailableError."""

    async def get_app(self, app_id: str, *, user_id: int | None) -> AppFacts:
        """Facts of an app.

        Raises:
            NotFoundError: there is none, or it is not the user's.
        """

    async def begin_operation(
        self, app_id: str, operation_id: str, *, kind: str, made_by: str = "", user: object = None
    ) -> AppFacts:
        """Hold an app for a `backup` or `restore`, for `user`; the same again for the same operation id.

        `made_by` is the operation that made the backup to restore: by it apps knows what version is in it.

        Raises:
            BusyError: another operation is under way.
            PreconditionError: the app is in no state for it.
            NotFoundError: there is no such app.
        """

    async def report_operation(self, app_id: str, operation_id: str, *, report: ProgressReport) -> None:
        """Tell the app's users how far it is."""

    async def finish_operation(
        self, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
    ) -> None:
        """Let the app go, in `status` (running, stopped or error) or, when that is empty, as before."""

    async def probe_app(self, app_id: str, operation_id: str) -> AppProbe:
        """Ask an app's port once, for the operation that locks it, and refresh the app's address."""

    async def restore_beside(self, order: BesideOrder, *, user: object) -> BesideStarted:
        """Make a new app of an archive, for `user`."""

    async def find_standing(self, operation_id: str) -> str:
        """How an operation of apps stands: unknown, unfinished, succeeded or failed."""

    async def find_removed(self, app_ids: Sequence[str]) -> Sequence[str]:
        """Those of up to 500 apps that are gone."""


class Containers(Protocol):
    """What inventory does for us with containers and archives. Everything may raise UnavailableError."""

    async def backup_container(self, place: Place, *, owner: str, order: BackupOrder, mark: str) -> Task:
        """Begin to make an archive; the same task or archive again for the same mark."""

    async def restore_container(
        self, place: Place, *, owner: str, archive: str, storage: str = "", lose_volumes: Sequence[str] = ()
    ) -> Task:
        """Begin to overwrite a stopped container; `storage` is for its root disk where there is none any more.

        Raises:
            PreconditionError: it has volumes that are neither in the archive nor in `lose_volumes`.
        """

    async def list_unarchived(
        self, place: Place, *, owner: str, archive: str = ""
    ) -> Sequence[UnarchivedVolume]:
        """The volumes of a container that an archive lacks; without one, that an archive made now would lack.

        Raises:
            NotFoundError: there is no container, or no such archive.
            PreconditionError: the archive cannot be restored over it with the host's credentials.
        """

    async def start_container(self, place: Place, *, owner: str) -> Task:
        """Begin to start a container."""

    async def stop_container(self, place: Place, *, owner: str) -> Task:
        """Begin to stop a container, by force when it does not end in time."""

    async def destroy_container(self, place: Place, *, owner: str) -> Task:
        """Begin to destroy a stopped container, or what a broken-off creation left; one that is gone is done."""

    async def has_container(self, place: Place) -> bool:
        """Whether there is a container."""

    async def is_running(self, place: Place) -> bool:
        """Whether a container runs; False also when there is none."""

    async def list_archives(self, place: Place) -> tuple[Sequence[Archive], bool]:
        """The archives of a container, and whether every storage answered."""

    async def update_archive(
        self, host_id: int, volume_id: str, *, protected: bool | None, notes: str | None
    ) -> None:
        """Change protection and notes of an archive where they are not None."""

    async def delete_archive(self, host_id: int, volume_id: str) -> Task:
        """Begin to delete an archive; one that is gone is nothing to do."""

    async def is_dumping(self, place: Place) -> bool:
        """Whether Proxmox makes an archive of a container now, for whomever."""

    async def stop_task(self, task: Task) -> None:
        """Stop a running task."""

    def watch_task(self, task: Task) -> AsyncIterator[TaskUpdate]:
        """Follow a task to its end."""
