"""Personal API tokens: opaque, stored hashed, scoped, expiring, shown once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.adapters import RevocationSink
from services.auth.domain.credentials import ApiToken, NewApiToken, hash_token
from services.auth.domain.entities import Account
from services.auth.domain.errors import ApiTokenInvalidError, InvalidExpiryError, ScopeNotAllowedError
from services.auth.domain.interfaces import ApiTokenStore
from services.common.core.clock import Clock, now
from services.common.core.errors import Violation
from services.common.identity.tokens import ALL_SCOPES, API_TOKEN_PREFIX, User

DEFAULT_TTL = timedelta(days=90)  # a forgotten token ends within a season
MAX_TTL = timedelta(days=730)  # two years; the API documents it


@dataclass(frozen=True, kw_only=True)
class ApiTokenDependencies:
    """Dependencies of the use cases of API tokens."""

    tokens: ApiTokenStore
    revocations: RevocationSink
    clock: Clock = now


async def create_api_token(
    deps: ApiTokenDependencies,
    user: User,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    parent_id: int | None = None,
) -> tuple[ApiToken, str]:
    """Create an API token for `user` and return it with the token itself, which is not stored.

    Args:
        deps: dependencies.
        user: the caller, with the scopes of the credentials.
        name: of the token, unique for the user.
        scopes: of the token; `read` where none is named.
        expires_at: default 90 days from now, or with `parent_id` when that ends, if earlier.
        parent_id: API token that creates this one, which may do no more and lives no longer.

    Raises:
        ScopeNotAllowedError: a scope exceeds what the user may do with the credentials of the call.
        InvalidExpiryError: it would end in the past, in more than 2 years, or after its parent.
        ApiTokenNameTakenError: the user has one of this name.
        ApiTokenInvalidError: the parent has ended meanwhile.
    """
    wanted = tuple(scope for scope in ALL_SCOPES if scope in (scopes or ("read",)))
    for scope in wanted:
        is_implied = scope == "read" and user.scopes  # every scope lets its token read
        if (scope not in user.scopes and not is_implied) or (scope == "admin" and not user.is_staff):
            raise ScopeNotAllowedError(f"{user.username} may not make a token with the scope {scope}")
    # A session has no parent and is limited by `MAX_TTL` alone.
    latest = None if parent_id is None else (await deps.tokens.get_token(parent_id)).expires_at
    token = API_TOKEN_PREFIX + secrets.token_urlsafe(32)
    new = NewApiToken(
        user_id=user.id,
        name=name,
        scopes=wanted,
        token_hash=hash_token(token),
        expires_at=_check_expiry(expires_at, deps.clock(), latest=latest),
        parent_id=parent_id,
    )
    return await deps.tokens.add_token(new), token


async def list_api_tokens(deps: ApiTokenDependencies, user_id: int) -> list[ApiToken]:
    """List a user's tokens, newest first."""
    return await deps.tokens.list_tokens(user_id)


async def delete_api_token(deps: ApiTokenDependencies, token_id: int, *, user_id: int) -> None:
    """End a token of a user and those that it created, everywhere within a second.

    Raises:
        ApiTokenNotFoundError: the user has none of this id.
    """
    deps.revocations.note_revoked(await deps.tokens.delete_token(token_id, user_id=user_id))


async def authenticate_api_token(deps: ApiTokenDependencies, token: str) -> tuple[ApiToken, Account]:
    """Return a token with its user.

    Raises:
        ApiTokenInvalidError: unknown, ended, or its user is not active.
    """
    known = await deps.tokens.find_by_hash(hash_token(token)) if token.startswith(API_TOKEN_PREFIX) else None
    if known is None:
        raise ApiTokenInvalidError("the API token is not valid")
    return known


def _check_expiry(wanted: datetime | None, current: datetime, *, latest: datetime | None) -> datetime:
    if wanted is None:
        return min(current + DEFAULT_TTL, latest or current + DEFAULT_TTL)
    fault = ""
    if not current < wanted <= current + MAX_TTL:
        fault = f"{wanted.isoformat()} is not between now and in 2 years"
    elif latest is not None and wanted > latest:
        fault = f"{wanted.isoformat()} is after {latest.isoformat()}, when the API token of this request ends"
    if fault:
        raise InvalidExpiryError(f"expires_at: {fault}", violations=[Violation("expires_at", fault)])
    return wanted
