"""Families of refresh tokens in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.auth.domain.entities import (
    Account,
    Authentication,
    NewRefreshToken,
    Reused,
    Revocation,
    Rotated,
)
from services.auth.domain.errors import RefreshTokenInvalidError, SignInFailedError
from services.auth.store.accounts import build_account
from services.auth.store.audit import write_expected
from services.auth.store.revocations import add_revocations, end_families
from services.auth.store.tables import refresh_tokens, sessions, users
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.identity.tokens import ACCESS_TOKEN_S

_INVALID = "The refresh token is not valid; sign in again"


class SqlSessionStore:
    """Sessions in SQLite or PostgreSQL; implements `SessionStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def add_session(
        self, user_id: int, token: NewRefreshToken, *, password_hash: str, address: str
    ) -> Account:
        """See `SessionStore.add_session`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Account:
            change = users.update().where(
                users.c.id == user_id, users.c.is_active, users.c.password_hash == password_hash
            )
            if not connection.execute(change.values(last_login=moment)).rowcount:
                raise SignInFailedError("Wrong username or password")
            connection.execute(
                sessions.insert().values(
                    family=token.family,
                    user_id=user_id,
                    address=address[:100],
                    created_at=moment,
                    authenticated_at=moment,
                    amr=",".join(Authentication(moment).methods),
                    expires_at=token.expires_at,
                )
            )
            _add_token(connection, token)
            account = build_account(connection.execute(sa.select(users).where(users.c.id == user_id)).one())
            write_expected(connection, account)
            return account

        return await self._db.write(write)

    async def rotate(self, token_hash: str, new_hash: str, *, expires_at: datetime) -> Rotated | Reused:
        """See `SessionStore.rotate`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Rotated | Reused:
            family = _find_family(connection, token_hash)
            if family is None:
                raise RefreshTokenInvalidError(_INVALID)
            owner = sa.select(users).join(sessions).where(sessions.c.family == family)
            # A change of the account that is under way is waited for: the token that follows says what it may then.
            user = connection.execute(owner.with_for_update(read=True, of=users)).one_or_none()
            session = connection.execute(
                sa.select(sessions).where(sessions.c.family == family).with_for_update()
            ).one_or_none()
            if user is None or session is None:
                raise RefreshTokenInvalidError(_INVALID)
            account = build_account(user)
            if session.ended_at is not None or not account.is_active:
                raise RefreshTokenInvalidError(_INVALID)
            use = refresh_tokens.update().where(
                refresh_tokens.c.token_hash == token_hash,
                refresh_tokens.c.used_at.is_(None),
                refresh_tokens.c.expires_at > moment,
            )
            if connection.execute(use.values(used_at=moment)).rowcount:
                _add_token(connection, NewRefreshToken(new_hash, family, expires_at))
                connection.execute(
                    sessions.update().where(sessions.c.family == family).values(expires_at=expires_at)
                )
                write_expected(connection, account)
                return Rotated(account, family, _build_authentication(session))
            ended = end_families(connection, sessions.c.family == family, moment)
            return Reused(add_revocations(connection, ended, moment))

        return await self._db.write(write)

    async def step_up(
        self, session: str, authentication: Authentication, *, user_id: int, password_hash: str
    ) -> Account:
        """See `SessionStore.step_up`."""
        owner = sa.select(users).where(
            users.c.id == user_id, users.c.is_active, users.c.password_hash == password_hash
        )
        change = sessions.update().where(
            sessions.c.family == session, sessions.c.user_id == user_id, sessions.c.ended_at.is_(None)
        )

        def write(connection: sa.Connection) -> Account:
            user = connection.execute(owner.with_for_update(read=True)).one_or_none()
            values = {"authenticated_at": authentication.at, "amr": ",".join(authentication.methods)}
            if user is None or not connection.execute(change.values(**values)).rowcount:
                raise SignInFailedError("the session has ended; sign in again")
            write_expected(connection)
            return build_account(user)

        return await self._db.write(write)

    async def end_sessions(
        self, families: Sequence[str], *, token_hash: str | None, token_id: str
    ) -> Sequence[Revocation]:
        """See `SessionStore.end_sessions`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            ending = {*families, _find_family(connection, token_hash) if token_hash else None} - {None}
            found = end_families(connection, sessions.c.family.in_(ending), moment)
            if token_id:
                found.append(Revocation(f"jti.{token_id}", moment.timestamp() + ACCESS_TOKEN_S))
            revoked = add_revocations(connection, found, moment)
            write_expected(connection)
            return revoked

        return await self._db.write(write)

    async def prune(self) -> None:
        """Forget sessions that expired, with their tokens, and expired tokens of those that go on."""
        moment = self._clock()

        def write(connection: sa.Connection) -> None:
            connection.execute(sessions.delete().where(sessions.c.expires_at < moment))
            connection.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < moment))

        await self._db.write(write)


def _build_authentication(session: sa.Row[Any]) -> Authentication:
    # Releases before step-up begin sessions without a time: these were authenticated when they began.
    return Authentication(session.authenticated_at or session.created_at, tuple(session.amr.split(",")))


def _find_family(connection: sa.Connection, token_hash: str) -> str | None:
    query = sa.select(refresh_tokens.c.family).where(refresh_tokens.c.token_hash == token_hash)
    return connection.execute(query).scalar()


def _add_token(connection: sa.Connection, token: NewRefreshToken) -> None:
    connection.execute(
        refresh_tokens.insert().values(
            token_hash=token.token_hash, family=token.family, expires_at=token.expires_at
        )
    )
