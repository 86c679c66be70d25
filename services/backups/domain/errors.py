"""Refusals of backups, by name."""

from __future__ import annotations

from services.common.core.errors import (
    BusyError,
    DuplicateError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)


class BackupNotFoundError(NotFoundError):
    """There is no such backup of this app, or not for this caller."""


class BackupNotCompletedError(PreconditionError):
    """Only a completed backup has an archive to restore."""


class BackupElsewhereError(PreconditionError):
    """The archive is on another Proxmox host than the app."""


class AppRemovedError(PreconditionError):
    """The app was deleted, so its backup is only restored as a new app."""


class AppNotBackupableError(PreconditionError):
    """The app is in no state to be backed up."""


class BackupProtectedError(BusyError):
    """A protected backup is not deleted."""


class BackupInUseError(BusyError):
    """The backup is being made, restored or deleted."""


class AppNotHeldError(PreconditionError):
    """The operation that requests a backup has not locked the app."""


class OperationBeginningError(BusyError):
    """Another request has recorded the operation, and apps has not answered it yet."""


class OperationNotDeadError(BusyError):
    """Only an operation that was given up is taken up again."""


class ArchiveGoneError(PreconditionError):
    """The archive is gone from its storage: pruned by Proxmox, or deleted by somebody."""


class RestoreDestroysVolumesError(PreconditionError):
    """The app's container has volumes that are not in the archive, and the request does not name them."""

    reason = "VOLUMES_NOT_ARCHIVED"


class DumpFailedError(PreconditionError):
    """Proxmox could not make the archive."""


class RestoreInvalidError(InvalidError):
    """The request names what only a restore as a new app has."""


class RestoreFailedError(PreconditionError):
    """Proxmox could not restore the archive, or start or stop the container for it."""


class NodeTestingError(BusyError):
    """Another restore test runs on the node."""


class RestoreTestImpossibleError(PreconditionError):
    """A restore test could not be carried out, which says nothing about the backup."""


class ScheduleInvalidError(InvalidError):
    """The schedule is no cron expression or preset, never runs, runs too often, or its time zone does not exist."""


class RetentionInvalidError(InvalidError):
    """The retention keeps nothing, or one of its numbers is out of range."""


class PolicyNotFoundError(NotFoundError):
    """There is no such policy."""


class PolicyNameTakenError(DuplicateError):
    """Another policy has this name."""


class PolicyChangedError(BusyError):
    """Other requests changed the policy while this one was checked."""


class PolicyLimitError(PreconditionError):
    """There are as many policies as are allowed."""


class PolicyInvalidError(InvalidError):
    """The policy selects no app or one that does not exist, or names a storage that cannot take its backups."""


class BackupSettingInvalidError(InvalidError):
    """No node has the bridge or the storage that restore tests are to use, or the hours are no span of the day."""


class PolicyHostSilentError(UnavailableError):
    """A Proxmox host of the policy's apps does not answer, so that its storages cannot be checked."""


class PoliciesOfUsersForbiddenError(ForbiddenError):
    """Administrators have not allowed policies of users."""
