"""Every refusal of auth, by name."""

from __future__ import annotations

from services.common.core.errors import (
    BusyError,
    DuplicateError,
    ExhaustedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    Violation,
)


class SignInFailedError(UnauthenticatedError):
    """Unknown user, wrong password or deactivated account; the message does not say which."""


class RefreshTokenInvalidError(UnauthenticatedError):
    """The refresh token is unknown, ended, or was used before."""


class AccessTokenInvalidError(UnauthenticatedError):
    """The token is not an access token of a user."""


class ApiTokenInvalidError(UnauthenticatedError):
    """The API token is unknown or ended."""


class TooManyAttemptsError(ExhaustedError):
    """Too many failures from this address or for this account; `retry_after` has the seconds to wait."""


class RegistrationClosedError(ForbiddenError):
    """Only administrators create accounts."""


class ScopeNotAllowedError(ForbiddenError):
    """An API token may not do more than its creator."""


class InvalidRegistrationError(InvalidError):
    """Fields of a new account are refused; the violations say why."""


class InvalidPasswordError(InvalidError):
    """The new password is refused; the violations say why."""


class SessionMissingError(ForbiddenError):
    """The call needs a session; its credentials are an API token."""


class LinkInvalidError(InvalidError):
    """The one-time link is unknown, redeemed, replaced or expired; the message does not say which."""

    def __init__(self) -> None:
        fault = "was redeemed or replaced, or has expired; ask for a new link"
        super().__init__(f"the link {fault}", violations=[Violation("token", fault)])


class InvalidRedemptionError(InvalidError):
    """The fields do not fit the one-time link; the violations say why."""


class HeirInvalidError(InvalidError):
    """The apps cannot be handed to that user."""


class ResetNotAllowedError(ForbiddenError):
    """An API token may not issue a link to the account of an administrator."""


class RoleChangeNotAllowedError(ForbiddenError):
    """An API token may not create, change or remove administrators."""


class AccountInactiveError(BusyError):
    """The account is deactivated."""


class WrongPasswordError(InvalidError):
    """The old password is wrong."""


class InvalidProfileError(InvalidError):
    """Fields of the profile are refused; the violations say why."""


class InvalidExpiryError(InvalidError):
    """The requested expiry of an API token is out of range."""


class InvalidQuestionError(InvalidError):
    """The request names no account."""


class UserNotFoundError(NotFoundError):
    """The account does not exist."""


class SessionNotFoundError(NotFoundError):
    """The session does not exist, has ended, or belongs to another user."""


class ApiTokenNotFoundError(NotFoundError):
    """The API token does not exist or belongs to another user."""


class UsernameTakenError(DuplicateError):
    """An account with this name exists, whatever the case."""


class EmailTakenError(DuplicateError):
    """An account with this address exists, whatever the case."""


class ApiTokenNameTakenError(DuplicateError):
    """The user has an API token of this name."""


class LastAdminError(BusyError):
    """The account is the last active administrator."""


class AuditBrokenError(Exception):
    """The audit log was changed after it was written."""
