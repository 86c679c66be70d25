"""What the use cases need from the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from services.auth.domain.entities import (
    Account,
    AccountQuota,
    ApiToken,
    Authentication,
    Client,
    NewAccount,
    NewApiToken,
    NewOneTimeLink,
    NewRefreshToken,
    OneTimeLink,
    Page,
    Reused,
    Revocation,
    Rotated,
    SigningKey,
    UserSession,
)
from services.auth.domain.limits import Limit


class AccountStore(Protocol):
    """Accounts. Names and addresses are unique whatever their case."""

    async def has_admin(self) -> bool:
        """Whether there is an active administrator."""

    async def add_account(self, new: NewAccount, *, only_without_admin: bool = False) -> Account | None:
        """Add an account; the first becomes administrator unless `new` says otherwise.

        With `only_without_admin`, None when there is an active administrator already.

        Raises:
            UsernameTakenError, EmailTakenError: it exists.
        """

    async def find_account(self, username: str) -> Account | None:
        """The account of that name, whatever the case."""

    async def get_account(self, user_id: int) -> Account:
        """The account.

        Raises:
            UserNotFoundError: there is none.
        """

    async def list_accounts(self, search: str, page: Page) -> tuple[list[Account], int]:
        """Accounts whose name or address contains `search`, by id, and how many there are in all."""

    async def update_profile(self, user_id: int, changes: Mapping[str, Any]) -> Account:
        """Change columns of the profile.

        Raises:
            UserNotFoundError, EmailTakenError: it cannot be changed so.
        """

    async def update_password_hash(self, user_id: int, password_hash: str, *, was: str) -> None:
        """Replace the hash `was` of a password by another hash of the same password."""

    async def change_password(
        self, user_id: int, password_hash: str, *, keep_session: str, keep_api_tokens: bool = False
    ) -> tuple[Account, Sequence[Revocation]]:
        """Change a password; end every session but one, and the API tokens unless they are to go on.

        Raises:
            UserNotFoundError: there is no such account.
        """

    async def update_account(
        self,
        user_id: int,
        *,
        is_staff: bool | None,
        is_active: bool | None,
        quota: AccountQuota | None = None,
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
        """Remove an account with its sessions and tokens, and announce who gets its apps.

        Raises:
            UserNotFoundError: there is no such account.
            HeirInvalidError: `apps_to` is no other active account.
            LastAdminError: no active administrator would be left.
        """


class SessionStore(Protocol):
    """Families of refresh tokens."""

    async def add_session(
        self, user_id: int, token: NewRefreshToken, *, password_hash: str, client: Client
    ) -> Account:
        """Begin a session and note the sign-in.

        Raises:
            SignInFailedError: the account is gone, not active, or has another password than was checked.
        """

    async def rotate(self, token_hash: str, successor: str, *, expires_at: datetime) -> Rotated | Reused:
        """Use up a refresh token and add `successor` to its family.

        One that was used less than `REPETITION_TTL` ago is answered with the newest token of the family instead; an
        earlier use ends the family.

        Raises:
            RefreshTokenInvalidError: it is unknown or ended, or the account is not active.
        """

    async def step_up(
        self, session: str, authentication: Authentication, *, user_id: int, password_hash: str
    ) -> Account:
        """Note that the user of a session proved their identity again.

        Raises:
            SignInFailedError: the session has ended, or the account is not active or has another password.
        """

    async def list_sessions(self, user_id: int) -> list[UserSession]:
        """A user's sessions that have not ended, newest first."""

    async def end_own_sessions(
        self, user_id: int, *, only: str | None = None, keep: str = ""
    ) -> Sequence[Revocation]:
        """End a user's sessions: the one that `only` names or all, but never `keep`; none is no error."""

    async def end_sessions(
        self, families: Sequence[str], *, token_hash: str | None, token_id: str
    ) -> Sequence[Revocation]:
        """End families, the family of a refresh token, and an access token; unknown ones are nothing."""


class OneTimeLinkStore(Protocol):
    """One-time links by the hash of their token."""

    async def add_link(self, new: NewOneTimeLink, *, notice: str = "") -> None:
        """Add a link in place of any other of its account, whose user gets the notice at the next sign-in.

        Raises:
            UserNotFoundError: there is no such account.
        """

    async def find_link(self, token_hash: str) -> OneTimeLink | None:
        """A link that can be redeemed now."""

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
        """Until when the strictest of these counters allows no attempt; None when all do."""

    async def note(self, attempts: Sequence[tuple[Limit, str]]) -> None:
        """Count an attempt for each limit and subject."""

    async def clear(self, keys: Sequence[str]) -> None:
        """Forget counters."""


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
        """A user's tokens, newest first."""

    async def delete_token(self, token_id: int, *, user_id: int) -> Sequence[Revocation]:
        """Remove a token of a user and those that it made.

        Raises:
            ApiTokenNotFoundError: the user has none of this id.
        """

    async def find_by_hash(self, token_hash: str) -> tuple[ApiToken, Account] | None:
        """A token that has not ended, with its active owner; notes its use at most once a minute."""


class SigningKeyStore(Protocol):
    """Keys that sign access tokens, their private halves sealed."""

    async def list_keys(self) -> list[SigningKey]:
        """The keys that are published, oldest first."""

    async def add_key(self, new: SigningKey, *, signs_before: datetime) -> bool:
        """Add a key unless one that can be opened signs, or will sign, from `signs_before` or later.

        The others expire when the last of their tokens has ended. `new` signs at once when no other can. Returns
        whether it was added.
        """

    async def drop_keys(self) -> None:
        """Delete every key."""

    async def prune(self) -> None:
        """Delete keys whose tokens have all ended."""


class PasswordHasher(Protocol):
    """Hashes passwords, a few at a time."""

    def slot(self) -> AbstractAsyncContextManager[None]:
        """A turn to hash. What must not happen between two attempts happens inside it.

        Raises:
            TooManyAttemptsError: too many wait already.
        """

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right; without a hash never, in the same time."""

    async def hash(self, password: str) -> str:
        """Hash a password."""

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""


class AccessTokens(Protocol):
    """Signs access tokens."""

    async def sign(
        self, account: Account, *, session: str, read_at: datetime, authentication: Authentication
    ) -> str:
        """An access token for an account as it was read at a time or later: what revokes after that holds for it.

        Waits up to a second when one issued then would count as revoked.
        """


class RevocationSink(Protocol):
    """Learns at once what was revoked."""

    def note_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Refuse it here, and tell every service."""
