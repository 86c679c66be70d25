"""Sessions, which are families of refresh tokens, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.auth.domain.credentials import (
    REPETITION_TTL,
    Authentication,
    Client,
    NewRefreshToken,
    Reused,
    Revocation,
    Rotated,
    UserSession,
    hash_token,
)
from services.auth.domain.entities import Account
from services.auth.domain.errors import RefreshTokenInvalidError, SignInFailedError
from services.auth.store.account_rows import build_account
from services.auth.store.audit import write_expected
from services.auth.store.revocations import add_revocations, end_families
from services.auth.store.tables import refresh_tokens, sessions, users
from services.common.core.clock import Clock, now
from services.common.core.errors import SealBrokenError
from services.common.core.log import get_logger
from services.common.db.database import Database
from services.common.identity.keys import Sealer
from services.common.identity.tokens import ACCESS_TOKEN_S

log = get_logger()

# Steps from a used token to the newest of its family, all within the time of a repetition. A client refreshes about
# once an hour, so this only bounds the loop.
_MAX_REPETITIONS = 100
_INVALID = "The refresh token is not valid; sign in again"


class SqlSessionStore:
    """Sessions in SQLite or PostgreSQL; implements `SessionStore`."""

    def __init__(self, db: Database, sealer: Sealer, *, clock: Clock = now) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock

    async def add_session(
        self, user_id: int, token: NewRefreshToken, *, password_hash: str, client: Client
    ) -> Account:
        """See `SessionStore.add_session`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Account:
            # One statement checks and locks the account: a change of the password or a deactivation refuses this sign-in.
            change = users.update().where(
                users.c.id == user_id, users.c.is_active, users.c.password_hash == password_hash
            )
            if not connection.execute(change.values(last_login=moment)).rowcount:
                raise SignInFailedError("Wrong username or password")
            connection.execute(
                sessions.insert().values(
                    family=token.family,
                    user_id=user_id,
                    address=client.address[:100],
                    user_agent=client.user_agent[:200],
                    created_at=moment,
                    last_used_at=moment,
                    authenticated_at=moment,
                    amr=",".join(Authentication(moment).methods),
                    expires_at=token.expires_at,
                )
            )
            _add_token(connection, token)
            account = build_account(connection.execute(sa.select(users).where(users.c.id == user_id)).one())
            if account.notice:  # shown once: the answer of this sign-in has it
                connection.execute(users.update().where(users.c.id == user_id).values(notice=""))
            write_expected(connection, account)
            return account

        return await self._db.write(write)

    async def rotate(self, token_hash: str, successor: str, *, expires_at: datetime) -> Rotated | Reused:
        """See `SessionStore.rotate`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Rotated | Reused:
            account, session = _lock_session(connection, token_hash)
            authentication = _build_authentication(session)
            # Of simultaneous exchanges one changes the row; the others find the token used.
            use = refresh_tokens.update().where(
                refresh_tokens.c.token_hash == token_hash,
                refresh_tokens.c.used_at.is_(None),
                refresh_tokens.c.expires_at > moment,
            )
            sealed = self._sealer.seal(successor, place=f"refresh_tokens.successor.{token_hash}")
            if connection.execute(use.values(used_at=moment, sealed_successor=sealed)).rowcount:
                _add_token(connection, NewRefreshToken(hash_token(successor), session.family, expires_at))
                change = sessions.update().where(sessions.c.family == session.family)
                connection.execute(change.values(expires_at=expires_at, last_used_at=moment))
                write_expected(connection, account)
                return Rotated(account, session.family, authentication, successor)
            if newest := self._find_newest(connection, token_hash, moment=moment):
                write_expected(connection, account)
                return Rotated(account, session.family, authentication, newest)
            ended = end_families(connection, sessions.c.family == session.family, moment=moment)
            return Reused(add_revocations(connection, ended, moment=moment))

        return await self._db.write(write)

    def _find_newest(self, connection: sa.Connection, token_hash: str, *, moment: datetime) -> str:
        """Return the newest successor of a token that was used just now; empty where the use is no repetition.

        Each step follows a token that was itself used within `REPETITION_TTL`, so that a late tab gets the current token
        of the family and not a used one, whose next use would end the family.
        """
        newest = ""
        for _ in range(_MAX_REPETITIONS):
            query = sa.select(refresh_tokens).where(refresh_tokens.c.token_hash == token_hash)
            token = connection.execute(query).one_or_none()
            if token is None:
                return ""
            if token.used_at is None:
                return newest
            if token.sealed_successor is None or token.used_at <= moment - REPETITION_TTL:
                return ""
            try:
                place = f"refresh_tokens.successor.{token_hash}"
                newest = self._sealer.open(token.sealed_successor, place=place)
            except SealBrokenError as error:
                log.warning("refresh_successor_unreadable", error=str(error))
                return ""
            token_hash = hash_token(newest)
        return ""

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

    async def list_sessions(self, user_id: int) -> list[UserSession]:
        """See `SessionStore.list_sessions`."""
        query = sa.select(sessions).where(
            sessions.c.user_id == user_id,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > self._clock(),
        )
        order = (sessions.c.created_at.desc(), sessions.c.family)
        rows = await self._db.read(lambda connection: connection.execute(query.order_by(*order)).all())
        return [_build_session(row) for row in rows]

    async def end_own_sessions(
        self, user_id: int, *, only: str | None = None, keep: str = ""
    ) -> Sequence[Revocation]:
        """See `SessionStore.end_own_sessions`."""
        moment = self._clock()
        condition = (sessions.c.user_id == user_id) & (sessions.c.family != keep)
        if only is not None:
            condition &= sessions.c.family == only

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            revoked = add_revocations(
                connection, end_families(connection, condition, moment=moment), moment=moment
            )
            if revoked:
                write_expected(connection)
            return revoked

        return await self._db.write(write)

    async def end_sessions(
        self, families: Sequence[str], *, token_hash: str | None, token_id: str
    ) -> Sequence[Revocation]:
        """See `SessionStore.end_sessions`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            ending = {*families, _find_family(connection, token_hash) if token_hash else None} - {None}
            found = end_families(connection, sessions.c.family.in_(ending), moment=moment)
            if token_id:
                found.append(Revocation(f"jti.{token_id}", moment.timestamp() + ACCESS_TOKEN_S))
            revoked = add_revocations(connection, found, moment=moment)
            if revoked:  # an audit entry is for a change
                write_expected(connection)
            return revoked

        return await self._db.write(write)

    async def prune(self) -> None:
        """Delete expired sessions with their tokens, expired tokens, and successors that no repetition gets."""
        moment = self._clock()

        def write(connection: sa.Connection) -> None:
            connection.execute(sessions.delete().where(sessions.c.expires_at < moment))
            connection.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < moment))
            late = refresh_tokens.c.used_at <= moment - REPETITION_TTL
            known = refresh_tokens.update().where(late, refresh_tokens.c.sealed_successor.is_not(None))
            connection.execute(known.values(sealed_successor=None))

        await self._db.write(write)


def _lock_session(connection: sa.Connection, token_hash: str) -> tuple[Account, sa.Row[Any]]:
    """Return account and session of a refresh token, both locked.

    Raises:
        RefreshTokenInvalidError: it is unknown or ended, or the account is not active.
    """
    family = _find_family(connection, token_hash)
    if family is None:
        raise RefreshTokenInvalidError(_INVALID)
    owner = sa.select(users).join(sessions).where(sessions.c.family == family)
    # Wait for a change of the account that is under way, so that the new token has its result.
    user = connection.execute(owner.with_for_update(read=True, of=users)).one_or_none()
    session = connection.execute(
        sa.select(sessions).where(sessions.c.family == family).with_for_update()
    ).one_or_none()
    if user is None or session is None:
        raise RefreshTokenInvalidError(_INVALID)
    account = build_account(user)
    if session.ended_at is not None or not account.is_active:
        raise RefreshTokenInvalidError(_INVALID)
    return account, session


def _build_session(row: sa.Row[Any]) -> UserSession:
    return UserSession(
        id=row.family,
        client=Client(row.address, row.user_agent),
        created_at=row.created_at,
        expires_at=row.expires_at,
        authenticated_at=_build_authentication(row).at,
        last_used_at=row.last_used_at or row.created_at,
    )


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
