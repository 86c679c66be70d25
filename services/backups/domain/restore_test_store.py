"""Interface of the store of restore tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.backups.domain.entities import Backup
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.restore_tests import RecordedApp


@dataclass(frozen=True, kw_only=True)
class NewRestoreTest:
    """A restore test to carry out.

    Attributes:
        storage: for the volumes.
        bridge: isolated; empty: without network.
        notes: what the test container does not get, for the log.
        recorded: what the restored app is compared with; None: with nothing.
        broken: why the archive cannot be restored, which is known already; empty: it may be restorable.
        limit_s: after which it is broken off.
    """

    operation_id: str
    requested_by: int
    node: str
    storage: str = ""
    bridge: str = ""
    notes: tuple[str, ...] = ()
    recorded: RecordedApp | None = None
    broken: str = ""
    limit_s: float = 0


class RestoreTestStore(Protocol):
    """Restore tests and their operations."""

    async def begin_test(self, key: BackupKey, new: NewRestoreTest) -> Backup:
        """Mark a backup as being tested, add the operation and wake a worker; nothing more for a known operation id.

        Raises:
            BackupNotFoundError: there is none.
            BackupNotCompletedError: it has no archive.
            BackupInUseError: it is being deleted, or tested already.
            ArchiveGoneError: its archive is gone.
            NodeTestingError: another test runs on the node.
        """

    async def note_untested(self, backup_id: int, *, message: str) -> None:
        """Record why a test that a policy requests could not be begun."""

    async def list_candidates(self, policy_ids: Collection[int]) -> Sequence[Backup]:
        """List the completed backups of some policies, of apps that are there, newest first, with the time of their tests."""

    async def find_limits(self, operation_ids: Collection[str]) -> Mapping[str, float]:
        """Return the limits in seconds of those of some operations that are not finished; 0 where none was recorded."""
