"""Signing in and out: login, logout and refresh, and the check of a password that other use cases share."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.auth.domain.adapters import AccessTokens, PasswordHasher, RevocationSink
from services.auth.domain.credentials import (
    REFRESH_TOKEN_TTL,
    Authentication,
    Client,
    NewRefreshToken,
    Reused,
    SignedIn,
    hash_token,
)
from services.auth.domain.entities import Account
from services.auth.domain.errors import RefreshTokenInvalidError, SignInFailedError, TooManyAttemptsError
from services.auth.domain.interfaces import AccountStore, AttemptStore, SessionStore
from services.auth.domain.limits import Limit, SignInLimits
from services.auth.domain.names import normalize_name
from services.common.core.clock import Clock, now
from services.common.core.telemetry.metrics import count_sign_in
from services.common.identity.tokens import ACCESS_TOKEN_S, Caller


class LimitedDependencies(Protocol):
    """Dependencies of use cases whose attempts are counted."""

    @property
    def attempts(self) -> AttemptStore:
        """Counters of attempts."""

    @property
    def limits(self) -> SignInLimits:
        """Limits of attempts."""

    @property
    def clock(self) -> Clock:
        """The current time."""


@dataclass(frozen=True, kw_only=True)
class SignInDependencies:
    """Dependencies of the use cases of signing in."""

    accounts: AccountStore
    sessions: SessionStore
    attempts: AttemptStore
    hasher: PasswordHasher
    access_tokens: AccessTokens
    revocations: RevocationSink
    limits: SignInLimits
    clock: Clock = now


async def login(deps: SignInDependencies, *, username: str, password: str, client: Client) -> SignedIn:
    """Sign in with a password.

    Raises:
        SignInFailedError: unknown user, wrong password or deactivated account.
        TooManyAttemptsError: too many failures before.
    """
    account = await check_password(
        deps,
        await deps.accounts.find_account(username),
        password=password,
        limited=list_limits(deps, username, address=client.address),
    )
    if account is None:
        raise SignInFailedError("Wrong username or password")
    await forget_failures(deps, username)
    signed_in = await begin_session(deps, account, client=client)
    # The only moment at which the password is known. After `begin_session`, which compares the hash that was checked.
    await _upgrade_hash(deps, account, password=password)
    return signed_in


async def refresh_token(deps: SignInDependencies, refresh: str) -> SignedIn:
    """Exchange a refresh token for a new pair.

    A repetition within `REPETITION_TTL` gets the same refresh token; a later one ends the whole family.

    Raises:
        RefreshTokenInvalidError: it is unknown, ended or was used before.
    """
    if not refresh:
        raise RefreshTokenInvalidError("No refresh token was sent")
    # The time is read before the rotation: a revocation after it covers the token that is signed below.
    fresh, moment = _make_refresh_token(), deps.clock()
    expires_at = moment + REFRESH_TOKEN_TTL
    outcome = await deps.sessions.rotate(hash_token(refresh), fresh, expires_at=expires_at)
    if isinstance(outcome, Reused):
        deps.revocations.note_revoked(outcome.revocations)
        raise RefreshTokenInvalidError("The refresh token was used before; sign in again")
    access = await deps.access_tokens.sign(
        outcome.account, session=outcome.session, read_at=moment, authentication=outcome.authentication
    )
    return SignedIn(access, outcome.refresh, ACCESS_TOKEN_S, outcome.account, outcome.session)


async def logout(deps: SignInDependencies, refresh: str, *, caller: Caller) -> None:
    """End the family of a refresh token, the caller's session and its access token, as far as there are any.

    An API token has no session and stays valid.
    """
    if not (refresh or caller.session):
        return
    revocations = await deps.sessions.end_sessions(
        [caller.session] if caller.session else [],
        token_hash=hash_token(refresh) if refresh else None,
        token_id=caller.token_id if caller.session else "",
    )
    deps.revocations.note_revoked(revocations)


async def begin_session(deps: SignInDependencies, checked: Account, *, client: Client) -> SignedIn:
    """Begin a session of an account whose user has just proved their identity.

    Raises:
        SignInFailedError: the account has changed since `checked` was read.
    """
    # The time is read before the account: a revocation after it covers the token that is signed below.
    refresh, session, moment = _make_refresh_token(), secrets.token_hex(16), deps.clock()
    token = NewRefreshToken(hash_token(refresh), session, moment + REFRESH_TOKEN_TTL)
    account = await deps.sessions.add_session(
        checked.id, token, password_hash=checked.password_hash, client=client
    )
    access = await deps.access_tokens.sign(
        account, session=session, read_at=moment, authentication=Authentication(moment)
    )
    return SignedIn(access, refresh, ACCESS_TOKEN_S, account, session)


def list_limits(
    deps: LimitedDependencies, username: str, *, address: str
) -> tuple[tuple[Limit, str], tuple[Limit, str]]:
    """List the limits, each with its subject, of a password that comes from an address."""
    return (deps.limits.login_account, normalize_name(username)), (deps.limits.login_address, address)


async def forget_failures(deps: LimitedDependencies, username: str) -> None:
    """Delete the counter of an account after a right password; that of the address stays."""
    await deps.attempts.clear([deps.limits.login_account.key_of(normalize_name(username))])


async def check_password(
    deps: SignInDependencies,
    account: Account | None,
    *,
    password: str,
    limited: Sequence[tuple[Limit, str]],
) -> Account | None:
    """Return the account if the password is right; count a failure before the next attempt gets a slot.

    An unknown or deactivated account takes as long as a known one.

    Raises:
        TooManyAttemptsError: too many failures before.
    """
    async with deps.hasher.slot():
        # Inside the slot, so that of guesses sent at once each sees the failures before it.
        try:
            await check_limits(deps, limited)
        except TooManyAttemptsError:
            count_sign_in("limited")
            raise
        usable = account is not None and account.is_active
        is_right = await deps.hasher.verify(account.password_hash if account and usable else None, password)
        count_sign_in("succeeded" if is_right else "failed")
        if not is_right:
            await deps.attempts.note(limited)
    return account if is_right else None


async def check_limits(deps: LimitedDependencies, limited: Sequence[tuple[Limit, str]]) -> None:
    """Refuse an attempt while one of the counters blocks it.

    Raises:
        TooManyAttemptsError: with the seconds to wait.
    """
    blocked_until = await deps.attempts.find_block([limit.key_of(subject) for limit, subject in limited])
    if blocked_until is not None:
        wait = _seconds_until(blocked_until, deps.clock())
        raise TooManyAttemptsError(f"Too many attempts; try again in {wait} s", retry_after=wait)


def _make_refresh_token() -> str:
    return secrets.token_urlsafe(32)  # 256 bits


def _seconds_until(moment: datetime, current: datetime) -> int:
    return max(1, round((moment - current).total_seconds() + 0.5))


async def _upgrade_hash(deps: SignInDependencies, account: Account, *, password: str) -> None:
    if not deps.hasher.is_outdated(account.password_hash):
        return
    async with deps.hasher.slot():
        password_hash = await deps.hasher.hash(password)
    await deps.accounts.update_password_hash(account.id, password_hash, was=account.password_hash)
