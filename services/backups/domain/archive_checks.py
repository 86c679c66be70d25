"""Checks of archives: their outcome, and the choice of those that policies request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from services.backups.domain.entities import Backup
    from services.backups.domain.interfaces import BackupKey

MAX_REASON = 500  # characters
_WEEK = timedelta(days=7)  # between the checks of an app under a policy with `weekly`
_RETRY = timedelta(
    days=1
)  # after one that could not be carried out: a host without SSH has it none tomorrow either


class ArchiveCheckStatus(StrEnum):
    """Standing of the newest check of an archive."""

    UNCHECKED = "unchecked"
    RUNNING = "running"
    INTACT = "intact"
    BROKEN = "broken"
    NOT_CHECKED = "not_checked"


_JUDGED = frozenset({ArchiveCheckStatus.INTACT, ArchiveCheckStatus.BROKEN})


class VerifyFrequency(StrEnum):
    """Choice of the archives of a policy that are checked."""

    NEVER = "never"
    WEEKLY = "weekly"
    EACH = "each"


@dataclass(frozen=True, kw_only=True)
class ArchiveCheck:
    """The newest check of an archive; `message` says what is wrong with it, or why it was not checked."""

    status: ArchiveCheckStatus = ArchiveCheckStatus.UNCHECKED
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    node: str = ""

    @property
    def is_running(self) -> bool:
        """Whether the archive is being read, or waits for the node."""
        return self.status is ArchiveCheckStatus.RUNNING

    @property
    def duration_s(self) -> int | None:
        """Seconds that it took; None while it runs, and of an archive that was never checked."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, int((self.ended_at - self.started_at).total_seconds()))


def choose_unverified(
    frequency: VerifyFrequency, backups: Sequence[Backup], *, now: datetime
) -> Backup | None:
    """Choose the backup of an app whose archive is to be checked now, from the completed ones of a policy, newest first.

    With `each`, the newest unchecked one. With `weekly`, the newest one, unless one was checked within a week.
    """
    checks = [one.archive_check for one in backups]
    if frequency is VerifyFrequency.NEVER or any(one.is_running for one in checks):
        return None
    ends = [one.ended_at for one in checks if one.ended_at and one.status in _JUDGED]
    if frequency is VerifyFrequency.WEEKLY and any(now - end < _WEEK for end in ends):
        return None
    # What a Proxmox Backup Server has verified needs no other check.
    open_ones = [one for one in backups if one.archive_check.status not in _JUDGED and not one.verification]
    chosen = open_ones[:1] if frequency is VerifyFrequency.EACH else backups[:1]
    if not chosen or chosen[0] not in open_ones:
        return None
    tried = chosen[0].archive_check.ended_at
    return None if tried and now - tried < _RETRY else chosen[0]


class ArchiveCheckStore(Protocol):
    """Checks of archives and their operations."""

    async def begin_check(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """Mark the archive of a backup as being checked, add the operation and wake a worker.

        Nothing more for a known operation id.

        Raises:
            BackupNotFoundError: there is none.
            BackupNotCompletedError: it has no archive.
            BackupInUseError: it is being deleted, or checked already.
            ArchiveGoneError: its archive is gone.
        """

    async def list_unverified(self, policy_ids: Collection[int]) -> Sequence[Backup]:
        """List the completed backups of some policies, of apps that are there, newest first."""
