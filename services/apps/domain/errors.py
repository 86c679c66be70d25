"""Refusals of apps, one class for each reason."""

from __future__ import annotations

from services.common.core.errors import (
    BusyError,
    DeadlineError,
    DomainError,
    DuplicateError,
    ExhaustedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)


class AppNotFoundError(NotFoundError):
    """No such app, or not the caller's."""


class ContainerUnmanagedError(PreconditionError):
    """The container with the app's id does not carry the app's mark."""


class HostsSilentError(UnavailableError):
    """No host answers a request for its containers."""


class HostnameTakenError(DuplicateError):
    """Another app has the hostname."""


def refuse_hostname(hostname: str) -> HostnameTakenError:
    """Return the refusal of a hostname that another app has, which may be another user's."""
    return HostnameTakenError(
        f"hostname {hostname} is that of another app: name another one, or delete that app first"
    )


class ContainerManagedError(DuplicateError):
    """An app owns the container already."""


class NoFreePortError(BusyError):
    """Every port of the host's range is taken."""


class QuotaExceededError(ForbiddenError):
    """The user's apps would take more together than they may. Waiting does not help, so this is no 429."""


class TooManyOutputStreamsError(ExhaustedError):
    """The user has as many streams of output open as one may."""


class AppStateError(PreconditionError):
    """The app is in no state for this."""


class OrphanGraceError(PreconditionError):
    """The orphan was not seen for long enough to be destroyed."""


class NotAvailableError(PreconditionError):
    """The platform cannot do this for this app."""


class TerminalIdleError(DeadlineError):
    """Nothing was typed for too long."""


class StepFailedError(DomainError):
    """A step of an operation failed in a way that trying again does not change."""


class DocumentTooNewError(InvalidError):
    """A later release of the platform wrote the document."""


class DocumentChangedError(InvalidError):
    """The document was changed after it was exported."""


class PassphraseWrongError(InvalidError):
    """The passphrase is not that of the export."""


class ArchiveMismatchError(PreconditionError):
    """The archive is not that of the app in the document, or not all of it."""


class DataMissingError(PreconditionError):
    """The app cannot be deployed without its archive."""
