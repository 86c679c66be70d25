"""Personal API tokens in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.auth.domain.credentials import ApiToken, NewApiToken, Revocation
from services.auth.domain.entities import Account
from services.auth.domain.errors import (
    ApiTokenInvalidError,
    ApiTokenNameTakenError,
    ApiTokenNotFoundError,
    UserNotFoundError,
)
from services.auth.store.account_rows import build_account
from services.auth.store.audit import write_expected
from services.auth.store.revocations import add_revocations
from services.auth.store.tables import api_tokens, users
from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore

API_TOKEN_CACHED_S = 60.0  # verifiers cache the user of a token for so long: see `caller_of_api_token`
_ENDED = "the API token has ended"
# A busy token must not write a row for every call; the column is for people, who need no better than a minute.
_NOTE_USE_EVERY = timedelta(minutes=1)


class SqlApiTokenStore:
    """API tokens in SQLite or PostgreSQL; implements `ApiTokenStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def add_token(self, new: NewApiToken) -> ApiToken:
        """See `ApiTokenStore.add_token`."""

        def write(connection: sa.Connection) -> ApiToken:
            # The lock orders this with a change of the password, which ends all tokens: it cannot commit in between.
            owner = sa.select(users.c.id).where(users.c.id == new.user_id).with_for_update()
            if connection.execute(owner).first() is None:
                raise UserNotFoundError(f"there is no user {new.user_id}")
            if new.parent_id is not None and not _exists(connection, new.parent_id):
                raise ApiTokenInvalidError(_ENDED)
            insert = insert_ignore(api_tokens, connection).values(
                user_id=new.user_id,
                name=new.name,
                scopes=",".join(new.scopes),
                token_hash=new.token_hash,
                created_at=self._clock(),
                expires_at=new.expires_at,
                parent_id=new.parent_id,
            )
            if not connection.execute(insert).rowcount:
                raise ApiTokenNameTakenError(f"there is an API token named {new.name!r} already")
            query = sa.select(api_tokens).where(api_tokens.c.token_hash == new.token_hash)
            write_expected(connection)
            return _build_token(connection.execute(query).one())

        return await self._db.write(write)

    async def get_token(self, token_id: int) -> ApiToken:
        """See `ApiTokenStore.get_token`."""
        query = sa.select(api_tokens).where(
            api_tokens.c.id == token_id, api_tokens.c.expires_at > self._clock()
        )
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise ApiTokenInvalidError(_ENDED)
        return _build_token(row)

    async def list_tokens(self, user_id: int) -> list[ApiToken]:
        """See `ApiTokenStore.list_tokens`."""
        query = sa.select(api_tokens).where(api_tokens.c.user_id == user_id).order_by(api_tokens.c.id.desc())
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_build_token(row) for row in rows]

    async def delete_token(self, token_id: int, *, user_id: int) -> Sequence[Revocation]:
        """See `ApiTokenStore.delete_token`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            found = api_tokens.c.id == token_id, api_tokens.c.user_id == user_id
            if connection.execute(sa.select(api_tokens.c.id).where(*found)).first() is None:
                raise ApiTokenNotFoundError(f"there is no API token {token_id}")
            ended = end_api_tokens(connection, _find_family(connection, token_id), moment=moment)
            revoked = add_revocations(connection, ended, moment=moment)
            write_expected(connection)
            return revoked

        return await self._db.write(write)

    async def find_by_hash(self, token_hash: str) -> tuple[ApiToken, Account] | None:
        """See `ApiTokenStore.find_by_hash`."""
        moment = self._clock()
        query = sa.select(api_tokens).where(
            api_tokens.c.token_hash == token_hash, api_tokens.c.expires_at > moment
        )
        owner = sa.select(users).where(users.c.is_active)

        def read(connection: sa.Connection) -> tuple[ApiToken, Account] | None:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            user = connection.execute(owner.where(users.c.id == row.user_id)).one_or_none()
            return None if user is None else (_build_token(row), build_account(user))

        found = await self._db.read(read)
        if found is not None:
            used = found[0].last_used_at
            if used is None or moment - used >= _NOTE_USE_EVERY:
                change = api_tokens.update().where(api_tokens.c.id == found[0].id).values(last_used_at=moment)
                await self._db.write(lambda connection: connection.execute(change))
        return found


def end_user_tokens(connection: sa.Connection, user_id: int, *, moment: datetime) -> list[Revocation]:
    """Remove all API tokens of a user; the caller adds the revocations."""
    query = sa.select(api_tokens.c.id).where(api_tokens.c.user_id == user_id)
    return end_api_tokens(connection, connection.execute(query).scalars().all(), moment=moment)


def end_api_tokens(
    connection: sa.Connection, token_ids: Sequence[int], *, moment: datetime
) -> list[Revocation]:
    """Remove API tokens; the caller adds the revocations."""
    connection.execute(api_tokens.delete().where(api_tokens.c.id.in_(token_ids)))
    # Twice the time of the cache: an answer that is on its way now is cached after this.
    cutoff = moment.timestamp() + 2 * API_TOKEN_CACHED_S
    return [Revocation(f"jti.api-{token_id}", cutoff) for token_id in token_ids]


def _find_family(connection: sa.Connection, token_id: int) -> list[int]:
    """Return a token with its descendants: the tokens that it created, directly or through others."""
    found, parents = [token_id], [token_id]
    while parents:
        query = sa.select(api_tokens.c.id).where(api_tokens.c.parent_id.in_(parents))
        parents = list(connection.execute(query).scalars())
        found += parents
    return found


def _exists(connection: sa.Connection, token_id: int) -> bool:
    query = sa.select(api_tokens.c.id).where(api_tokens.c.id == token_id)
    return connection.execute(query.with_for_update()).first() is not None


def _build_token(row: sa.Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        scopes=tuple(row.scopes.split(",")),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
