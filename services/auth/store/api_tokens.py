"""Personal API tokens in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.auth.domain.entities import Account, ApiToken, NewApiToken, Revocation
from services.auth.domain.errors import ApiTokenNameTakenError, ApiTokenNotFoundError, UserNotFoundError
from services.auth.store.account_rows import build_account
from services.auth.store.audit import write_expected
from services.auth.store.revocations import add_revocations
from services.auth.store.tables import api_tokens, users
from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore

_NOTE_USE_EVERY = timedelta(minutes=1)


class SqlApiTokenStore:
    """API tokens in SQLite or PostgreSQL; implements `ApiTokenStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def add_token(self, new: NewApiToken) -> ApiToken:
        """See `ApiTokenStore.add_token`."""

        def write(connection: sa.Connection) -> ApiToken:
            if connection.execute(sa.select(users.c.id).where(users.c.id == new.user_id)).first() is None:
                raise UserNotFoundError(f"there is no user {new.user_id}")
            insert = insert_ignore(api_tokens, connection).values(
                user_id=new.user_id,
                name=new.name,
                scopes=",".join(new.scopes),
                token_hash=new.token_hash,
                created_at=self._clock(),
                expires_at=new.expires_at,
            )
            if not connection.execute(insert).rowcount:
                raise ApiTokenNameTakenError(f"there is an API token named {new.name!r} already")
            query = sa.select(api_tokens).where(api_tokens.c.token_hash == new.token_hash)
            write_expected(connection)
            return _build_token(connection.execute(query).one())

        return await self._db.write(write)

    async def list_tokens(self, user_id: int) -> list[ApiToken]:
        """See `ApiTokenStore.list_tokens`."""
        query = sa.select(api_tokens).where(api_tokens.c.user_id == user_id).order_by(api_tokens.c.id.desc())
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_build_token(row) for row in rows]

    async def delete_token(self, token_id: int, *, user_id: int) -> Sequence[Revocation]:
        """See `ApiTokenStore.delete_token`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            delete = api_tokens.delete().where(api_tokens.c.id == token_id, api_tokens.c.user_id == user_id)
            if not connection.execute(delete).rowcount:
                raise ApiTokenNotFoundError(f"there is no API token {token_id}")
            # Verifiers keep an answer for a minute: refuse also one that is on its way.
            revocation = Revocation(f"jti.api-{token_id}", moment.timestamp() + 120)
            revoked = add_revocations(connection, [revocation], moment)
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
