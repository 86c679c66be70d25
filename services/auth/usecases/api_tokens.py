"""Personal API tokens: opaque, stored hashed, scoped, expiring, shown once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.entities import Account, ApiToken, NewApiToken, hash_token
from services.auth.domain.errors import ApiTokenInvalidError, InvalidExpiryError, ScopeNotAllowedError
from services.auth.domain.interfaces import ApiTokenStore, RevocationSink
from services.common.core.clock import Clock, now
from services.common.core.errors import Violation
from services.common.identity.tokens import ALL_SCOPES, API_TOKEN_PREFIX, User

DEFAULT_TTL = timedelta(days=90)
MAX_TTL = timedelta(days=730)


@dataclass(frozen=True)
class ApiTokens:
    """What these use cases share."""

    store: ApiTokenStore
    sink: RevocationSink
    clock: Clock = now


async def create_api_token(
    tokens: ApiTokens,
    user: User,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    made_by: int | None = None,
) -> tuple[ApiToken, str]:
    """Make an API token for `user`; the token itself is in this answer only.

    Args:
        tokens: what these use cases share.
        user: the caller, with the scopes of the credentials.
        name: of the token, unique for the user.
        scopes: of the token; `read` where none is named.
        expires_at: default 90 days from now, or with `made_by` when that ends, if earlier.
        made_by: the API token that asks. What it makes may do no more and lives no longer than it.

    Raises:
        ScopeNotAllowedError: a scope goes beyond what the user, with the credentials at hand, may do.
        InvalidExpiryError: it would end in the past, in more than 2 years, or after the token that makes it.
        ApiTokenNameTakenError: the user has one of this name.
        ApiTokenInvalidError: the token that asks has ended meanwhile.
    """
    wanted = tuple(scope for scope in ALL_SCOPES if scope in (scopes or ("read",)))
    for scope in wanted:
        is_implied = scope == "read" and user.scopes  # every scope lets its token read
        if (scope not in user.scopes and not is_implied) or (scope == "admin" and not user.is_staff):
            raise ScopeNotAllowedError(f"{user.username} may not make a token with the scope {scope}")
    latest = None if made_by is None else (await tokens.store.get_token(made_by)).expires_at
    token = API_TOKEN_PREFIX + secrets.token_urlsafe(32)
    new = NewApiToken(
        user_id=user.id,
        name=name,
        scopes=wanted,
        token_hash=hash_token(token),
        expires_at=_check_expiry(expires_at, tokens.clock(), latest=latest),
        parent_id=made_by,
    )
    return await tokens.store.add_token(new), token


async def list_api_tokens(tokens: ApiTokens, user_id: int) -> list[ApiToken]:
    """A user's tokens, newest first."""
    return await tokens.store.list_tokens(user_id)


async def delete_api_token(tokens: ApiTokens, token_id: int, *, user_id: int) -> None:
    """End a token of a user and those that it made, everywhere within a second.

    Raises:
        ApiTokenNotFoundError: the user has none of this id.
    """
    tokens.sink.note_revoked(await tokens.store.delete_token(token_id, user_id=user_id))


async def authenticate_api_token(tokens: ApiTokens, token: str) -> tuple[ApiToken, Account]:
    """Whose a token is.

    Raises:
        ApiTokenInvalidError: unknown, ended, or its user is not active.
    """
    known = await tokens.store.find_by_hash(hash_token(token)) if token.startswith(API_TOKEN_PREFIX) else None
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
        fault = f"{wanted.isoformat()} is after {latest.isoformat()}, when the API token that asks ends"
    if fault:
        raise InvalidExpiryError(f"expires_at: {fault}", violations=[Violation("expires_at", fault)])
    return wanted
