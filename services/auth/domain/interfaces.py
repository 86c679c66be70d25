"""Protocols of the stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.auth.domain.credentials import (
    ApiToken,
    Authentication,
    Client,
    NewApiToken,
    NewOneTimeLink,
    NewRefreshToken,
    OneTimeLink,
    Reused,
    Revocation,
    Rotated,
    SigningKey,
    UserSession,
)
from services.auth.domain.entities import (
    Account,
    AccountChanges,
    AuditEntry,
    AuditFilter,
    NewAccount,
    Page,
    ProfileChanges,
)
from services.auth.domain.limits import Limit


class AccountStore(Protocol):
    """Accounts. Names and addresses are unique whatever their case."""

    async def has_admin(self) -> bool:
        """Return whether there is an active administrator."""

    async def add_account(self, new: NewAccount) -> Account:
        """Add an account; the first becomes administrator unless `new` says otherwise.

        Raises:
            UsernameTakenError, EmailTakenError: it exists.
        """

    async def add_first_admin(self, new: NewAccount) -> Account | None:
        """Add an account unless there is an active administrator; None when there is.

        Raises:
            UsernameTakenError, EmailTakenError: it exists.
        """

    async def find_account(self, username: str) -> Account | None:
        """Find the account of a name, whatever the case."""

    async def get_account(self, user_id: int) -> Account:
        """Return the account.

        Raises:
            UserNotFoundError: there is none.
        """

    async def list_accounts(self, search: str, page: Page) -> tuple[list[Account], int]:
        """List accounts whose name or address contains `search`, by id; also return the total."""

    async def update_profile(self, user_id: int, changes: ProfileChanges) -> Account:
        """Change columns of the profile.

        Raises:
            UserNotFoundError, EmailTakenError: it cannot be changed so.
        """

    async def update_password_hash(self, user_id: int, password_hash: str, *, was: str) -> None:
        """Replace the hash `was` of a password by another hash of the same password."""

    async def change_password(
        self, user_id: int, password_hash: str, *, keep_session: str, keep_api_tokens: bool = False
    ) -> Sequence[Revocation]:
        """Change a password; end every session but one, and the API tokens unless `keep_api_tokens`.

        Raises:
            UserNotFoundError: there is no such account.
        """

    async def update_account(
        self, user_id: int, changes: AccountChanges
    ) -> tuple[Account, Sequence[Revocation]]:
        """Promote, demote, activate, deactivate, or set the quota; demoting and deactivating revoke.

        Raises:
            UserNotFoundError: there is no such account.
            LastAdminError: no active administrator would be left.
        """

    async def end_user_sessions(self, user_id: int) -> Sequence[Revocation]:
        """End every session of an account.

        Raises:
            UserNotFoundError: there is no such account.
        """

    async def delete_account(self, user_id: int, *, apps_to: int | None = None) -> Sequence[Revocation]:
        """Remove an account with its sessions and tokens, and announce the new owner of its apps.

        Raises:
            UserNotFoundError: there is no such account.
            HeirInvalidError: `apps_to` is no other active account.
            LastAdminError: no active administrator would be left.
        """


class SessionStore(Protocol):
    """Sessions: families of refresh tokens."""

    async def add_session(
        self, user_id: int, token: NewRefreshToken, *, password_hash: str, client: Client
    ) -> Account:
        """Begin a session and record the sign-in.

        Raises:
            SignInFailedError: the account is gone, not active, or has another password than was checked.
        """

    async def rotate(self, token_hash: str, successor: str, *, expires_at: datetime) -> Rotated | Reused:
        """Use up a refresh token and add `successor` to its family.

        A token that was used less than `REPETITION_TTL` ago is exchanged for the newest one of the family instead; an
        earlier use ends the family.

        Raises:
            RefreshTokenInvalidError: it is unknown or ended, or the account is not active.
        """

    async def step_up(
        self, session: str, authentication: Authentication, *, user_id: int, password_hash: str
    ) -> Account:
        """Record that the user of a session proved their identity again.

        Raises:
            SignInFailedError: the session has ended, or the account is not active or has another password.
        """

    async def list_sessions(self, user_id: int) -> list[UserSession]:
        """List a user's sessions that have not ended, newest first."""

    async def end_own_sessions(
        self, user_id: int, *, only: str | None = None, keep: str = ""
    ) -> Sequence[Revocation]:
        """End a user's sessions: the one with the id `only`, or all, but never `keep`; none is no error."""

    async def end_sessions(
        self, families: Sequence[str], *, token_hash: str | None, token_id: str
    ) -> Sequence[Revocation]:
        """End families, the family of a refresh token, and an access token; unknown ones are ignored."""


class OneTimeLinkStore(Protocol):
    """One-time links by the hash of their token."""

    async def add_link(self, new: NewOneTimeLink, *, notice: str = "") -> None:
        """Add a link in place of any other of its account, whose user gets the notice at the next sign-in.

        Raises:
            UserNotFoundError: there is no such account.
        """

    async def find_link(self, token_hash: str) -> OneTimeLink | None:
        """Find a link that can be redeemed now."""

    async def redeem_reset(
        self, token_hash: str, *, password_hash: str, notice: str
    ) -> tuple[Account, Sequence[Revocation]]:
        """Use up a link and set the password of its account; its sessions, API tokens and links end.

        Raises:
            LinkInvalidError: it cannot be redeemed any more, or the account is not active.
        """

    async def redeem_invitation(self, token_hash: str, new: NewAccount) -> Account:
        """Use up a link and add an account. A refused account leaves the link as it is.

        Raises:
            LinkInvalidError: it cannot be redeemed any more.
            UsernameTakenError, EmailTakenError: the account exists.
        """


class AttemptStore(Protocol):
    """Counters of attempts."""

    async def find_block(self, keys: Sequence[str]) -> datetime | None:
        """Return the end of the longest block of these counters; None when an attempt is allowed."""

    async def note(self, attempts: Sequence[tuple[Limit, str]]) -> None:
        """Count an attempt for each limit and subject."""

    async def clear(self, keys: Sequence[str]) -> None:
        """Delete counters."""


class ApiTokenStore(Protocol):
    """Personal API tokens."""

    async def add_token(self, new: NewApiToken) -> ApiToken:
        """Add a token.

        Raises:
            ApiTokenNameTakenError: the user has one of this name.
        """

    async def get_token(self, token_id: int) -> ApiToken:
        """Return a token that has not ended.

        Raises:
            ApiTokenInvalidError: there is none of this id, or it has ended.
        """

    async def list_tokens(self, user_id: int) -> list[ApiToken]:
        """List a user's tokens, newest first."""

    async def delete_token(self, token_id: int, *, user_id: int) -> Sequence[Revocation]:
        """Remove a token of a user and those that it created.

        Raises:
            ApiTokenNotFoundError: the user has none of this id.
        """

    async def find_by_hash(self, token_hash: str) -> tuple[ApiToken, Account] | None:
        """Find a token that has not ended, with its active owner; record its use at most once a minute."""


class SigningKeyStore(Protocol):
    """Keys that sign access tokens, their private halves sealed."""

    async def list_keys(self) -> list[SigningKey]:
        """List the keys that are published, oldest first."""

    async def add_key(self, new: SigningKey, *, signs_before: datetime) -> bool:
        """Add a key unless one that can be opened is used, or will be, from `signs_before` or later.

        The others expire when the last of their tokens has ended. `new` is used at once when no other can be. Returns
        whether it was added.
        """

    async def drop_keys(self) -> None:
        """Delete every key."""

    async def prune(self) -> None:
        """Delete keys whose tokens have all ended."""


class AuditStore(Protocol):
    """The audit log."""

    async def list_entries(self, page: Page, *, wanted: AuditFilter) -> tuple[list[AuditEntry], int]:
        """Return a page of the entries that a filter selects, newest first, and how many there are."""
