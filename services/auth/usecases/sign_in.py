"""Signing in and out: login, logout, refresh and the change of a password."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.auth.domain.entities import (
    REFRESH_TOKEN_TTL,
    Account,
    Authentication,
    Client,
    NewRefreshToken,
    Reused,
    SignedIn,
    hash_token,
)
from services.auth.domain.errors import (
    InvalidPasswordError,
    RefreshTokenInvalidError,
    SignInFailedError,
    TooManyAttemptsError,
    WrongPasswordError,
)
from services.auth.domain.interfaces import (
    AccessTokens,
    AccountStore,
    AttemptStore,
    PasswordHasher,
    RevocationSink,
    SessionStore,
)
from services.auth.domain.limits import Limit
from services.auth.domain.names import normalize_name
from services.auth.domain.passwords import find_faults
from services.common.core.clock import Clock, now
from services.common.core.errors import Violation
from services.common.identity.tokens import ACCESS_TOKEN_S


@dataclass(frozen=True)
class SignInLimits:
    """How many failures and registrations are free, per account and address."""

    login_account: Limit
    login_address: Limit
    registration_address: Limit


def make_limits(*, per_account: int = 5, per_address: int = 50, registrations: int = 100) -> SignInLimits:
    """Limits with so many free attempts each."""
    return SignInLimits(
        Limit("login-account", per_account, timedelta(minutes=1)),
        Limit("login-address", per_address, timedelta(minutes=15)),
        Limit("registration-address", registrations, timedelta(minutes=15)),
    )


class Limited(Protocol):
    """Use cases whose attempts are counted."""

    @property
    def attempts(self) -> AttemptStore:
        """The counters."""

    @property
    def clock(self) -> Clock:
        """The time."""


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """What the use cases of signing in share."""

    accounts: AccountStore
    sessions: SessionStore
    attempts: AttemptStore
    hasher: PasswordHasher
    tokens: AccessTokens
    sink: RevocationSink
    limits: SignInLimits
    clock: Clock = now


async def login(auth: SignIn, username: str, password: str, *, client: Client) -> SignedIn:
    """Sign in with a password.

    Raises:
        SignInFailedError: unknown user, wrong password or deactivated account.
        TooManyAttemptsError: too many failures before.
    """
    account_key = normalize_name(username)
    account = await check_password(
        auth,
        await auth.accounts.find_account(username),
        password,
        (
            (auth.limits.login_account, account_key),
            (auth.limits.login_address, client.address),
        ),
    )
    if account is None:
        raise SignInFailedError("Wrong username or password")
    await auth.attempts.clear([auth.limits.login_account.key_of(account_key)])
    signed_in = await begin_session(auth, account, client=client)
    await _upgrade_hash(auth, account, password)
    return signed_in


async def refresh_token(auth: SignIn, refresh: str) -> SignedIn:
    """Exchange a refresh token for a new pair.

    A repetition within `REPETITION_TTL` gets the same refresh token; a later one ends the whole family.

    Raises:
        RefreshTokenInvalidError: it is unknown, ended or was used before.
    """
    if not refresh:
        raise RefreshTokenInvalidError("No refresh token was sent")
    fresh, moment = new_refresh_token(), auth.clock()
    expires_at = moment + REFRESH_TOKEN_TTL
    outcome = await auth.sessions.rotate(hash_token(refresh), fresh, expires_at=expires_at)
    if isinstance(outcome, Reused):
        auth.sink.note_revoked(outcome.revocations)
        raise RefreshTokenInvalidError("The refresh token was used before; sign in again")
    access = await auth.tokens.sign(
        outcome.account, session=outcome.session, read_at=moment, authentication=outcome.authentication
    )
    return SignedIn(access, outcome.refresh, ACCESS_TOKEN_S, outcome.account, outcome.session)


async def logout(auth: SignIn, refresh: str, *, session: str, token_id: str) -> None:
    """End the family of a refresh token, a session and an access token, as far as there are any."""
    if not (refresh or session or token_id):
        return
    revocations = await auth.sessions.end_sessions(
        [session] if session else [], token_hash=hash_token(refresh) if refresh else None, token_id=token_id
    )
    auth.sink.note_revoked(revocations)


async def change_password(
    auth: SignIn,
    user_id: int,
    *,
    old: str,
    new: str,
    session: str,
    address: str,
    keep_api_tokens: bool = False,
) -> None:
    """Change a password; every session but the caller's ends, and every API token unless `keep_api_tokens`.

    Raises:
        WrongPasswordError: `old` is not the password.
        InvalidPasswordError: `new` is not good enough.
        TooManyAttemptsError: too many wrong old passwords before.
    """
    known = await auth.accounts.get_account(user_id)
    account_key = normalize_name(known.username)
    limited = ((auth.limits.login_account, account_key), (auth.limits.login_address, address))
    if await check_password(auth, known, old, limited) is None:
        violation = Violation("old_password", "is wrong")
        raise WrongPasswordError("The old password is wrong", violations=[violation])
    if faults := find_faults(new, known.username):
        raise InvalidPasswordError(
            "; ".join(f"new_password {fault}" for fault in faults),
            violations=[Violation("new_password", fault) for fault in faults],
        )
    async with auth.hasher.slot():
        password_hash = await auth.hasher.hash(new)
    _, revocations = await auth.accounts.change_password(
        user_id, password_hash, keep_session=session, keep_api_tokens=keep_api_tokens
    )
    auth.sink.note_revoked(revocations)


def new_refresh_token() -> str:
    """A random refresh token: 256 bits."""
    return secrets.token_urlsafe(32)


async def begin_session(auth: SignIn, checked: Account, *, client: Client) -> SignedIn:
    """Begin a session of an account whose user has just proved their identity.

    Raises:
        SignInFailedError: the account has changed since `checked` was read.
    """
    refresh, session, moment = new_refresh_token(), secrets.token_hex(16), auth.clock()
    token = NewRefreshToken(hash_token(refresh), session, moment + REFRESH_TOKEN_TTL)
    account = await auth.sessions.add_session(
        checked.id, token, password_hash=checked.password_hash, client=client
    )
    access = await auth.tokens.sign(
        account, session=session, read_at=moment, authentication=Authentication(moment)
    )
    return SignedIn(access, refresh, ACCESS_TOKEN_S, account, session)


async def check_password(
    auth: SignIn, account: Account | None, password: str, limited: Sequence[tuple[Limit, str]]
) -> Account | None:
    """Return the account if the password is right; a failure is counted before the next attempt gets a slot.

    Raises:
        TooManyAttemptsError: too many failures before.
    """
    async with auth.hasher.slot():
        await check_limits(auth, limited)
        usable = account is not None and account.is_active
        is_right = await auth.hasher.verify(account.password_hash if account and usable else None, password)
        if not is_right:
            await auth.attempts.note(limited)
    return account if is_right else None


async def check_limits(auth: Limited, limited: Sequence[tuple[Limit, str]]) -> None:
    """Refuse an attempt while one of the counters has it wait.

    Raises:
        TooManyAttemptsError: with the seconds to wait.
    """
    blocked_until = await auth.attempts.find_block([limit.key_of(subject) for limit, subject in limited])
    if blocked_until is not None:
        wait = _seconds_until(blocked_until, auth.clock())
        raise TooManyAttemptsError(f"Too many attempts; try again in {wait} s", retry_after=wait)


def _seconds_until(moment: datetime, current: datetime) -> int:
    return max(1, round((moment - current).total_seconds() + 0.5))


async def _upgrade_hash(auth: SignIn, account: Account, password: str) -> None:
    if not auth.hasher.is_outdated(account.password_hash):
        return
    async with auth.hasher.slot():
        password_hash = await auth.hasher.hash(password)
    await auth.accounts.update_password_hash(account.id, password_hash, was=account.password_hash)
