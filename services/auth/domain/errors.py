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
    """Unknown user, wrong password or deactivated account: which one, nobody is told."""


class RefreshTokenInvalidError(UnauthenticatedError):
    """The refresh token is unknown, ended, or was used before."""


class AccessTokenInvalidError(UnauthenticatedError):
    """It is no access token of a user."""


class ApiTokenInvalidError(UnauthenticatedError):
    """The API token is unknown or ended."""


class TooManyAttemptsError(ExhaustedError):
    """Too many failures from this address or for this account; `retry_after` says when to try again."""


class RegistrationClosedError(ForbiddenError):
    """Accounts are made by the administrator only."""


class ScopeNotAllowedError(ForbiddenError):
    """An API token may not do more than who makes it."""


class InvalidRegistrationError(InvalidError):
    """The account cannot be made like this; the violations say why."""


class InvalidPasswordError(InvalidError):
    """The new password is not good enough; the violations say why."""


class SessionMissingError(ForbiddenError):
    """The call is for sessions; its credentials are an API token."""


class LinkInvalidError(InvalidError):
    """The one-time link is unknown, or was redeemed, replaced, or has expired: which one, nobody is told."""

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
    """An API token may not make, change or remove administrators."""


class AccountInactiveError(BusyError):
    """The account is deactivated."""


class WrongPasswordError(InvalidError):
    """The old password is wrong."""


class InvalidProfileError(InvalidError):
    """The profile cannot be like this; the violations say why."""


class InvalidExpiryError(InvalidError):
    """An API token cannot end then."""


class InvalidQuestionError(InvalidError):
    """It does not say which account is meant."""


class UserNotFoundError(NotFoundError):
    """There is no such account."""


class SessionNotFoundError(NotFoundError):
    """There is no such session, it has ended, or it is somebody else's."""


class ApiTokenNotFoundError(NotFoundError):
    """There is no such API token, or it is somebody else's."""


class UsernameTakenError(DuplicateError):
    """An account with this name exists, whatever the case."""


class EmailTakenError(DuplicateError):
    """An account with this address exists, whatever the case."""


class ApiTokenNameTakenError(DuplicateError):
    """The user has an API token of this name."""


class LastAdminError(BusyError):
    """Without this account nobody would be administrator."""


class AuditBrokenError(Exception):
    """The audit log was changed after it was written."""
