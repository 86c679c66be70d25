"""One-time links in the database: hashes of their tokens, until they are redeemed, replaced or expired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from services.auth.domain.credentials import NewOneTimeLink, OneTimeLink, Revocation
from services.auth.domain.entities import Account, NewAccount
from services.auth.domain.errors import LinkInvalidError
from services.auth.domain.names import name_administrator
from services.auth.store.account_rows import get_account, insert_account, revoke_account
from services.auth.store.api_tokens import end_user_tokens
from services.auth.store.audit import write_expected
from services.auth.store.revocations import add_revocations
from services.auth.store.tables import one_time_links, users
from services.common.core.clock import Clock, now
from services.common.db.database import Database


class SqlOneTimeLinkStore:
    """One-time links in SQLite or PostgreSQL; implements `OneTimeLinkStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def add_link(self, new: NewOneTimeLink, *, notice: str = "") -> None:
        """See `OneTimeLinkStore.add_link`."""

        def write(connection: sa.Connection) -> None:
            if new.user_id is not None:
                get_account(connection, new.user_id)
                # The newest link is the only one: an older one may have reached somebody else.
                drop_reset_links(connection, new.user_id)
                connection.execute(users.update().where(users.c.id == new.user_id).values(notice=notice))
            connection.execute(one_time_links.insert().values(**vars(new), created_at=self._clock()))
            write_expected(connection)

        await self._db.write(write)

    async def find_link(self, token_hash: str) -> OneTimeLink | None:
        """See `OneTimeLinkStore.find_link`."""
        # Expired links look like unknown ones: an answer that tells them apart would confirm a guess.
        query = sa.select(one_time_links).where(
            one_time_links.c.token_hash == token_hash, one_time_links.c.expires_at > self._clock()
        )
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else OneTimeLink(row.user_id, row.is_staff, row.issued_by)

    async def redeem_reset(
        self, token_hash: str, *, password_hash: str, notice: str
    ) -> tuple[Account, Sequence[Revocation]]:
        """See `OneTimeLinkStore.redeem_reset`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> tuple[Account, Sequence[Revocation]]:
            account_id = _take(connection, token_hash, moment=moment).user_id
            # A link must not bring back an account that was deactivated meanwhile.
            change = users.update().where(users.c.id == account_id, users.c.is_active)
            if not connection.execute(change.values(password_hash=password_hash, notice=notice)).rowcount:
                raise LinkInvalidError
            drop_reset_links(connection, account_id)
            account = get_account(connection, account_id)
            revoked = (
                *revoke_account(connection, account, moment=moment, end_sessions=True),
                *add_revocations(
                    connection, end_user_tokens(connection, account.id, moment=moment), moment=moment
                ),
            )
            write_expected(connection, account)
            return account, revoked

        return await self._db.write(write)

    async def redeem_invitation(self, token_hash: str, new: NewAccount) -> Account:
        """See `OneTimeLinkStore.redeem_invitation`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Account:
            _take(connection, token_hash, moment=moment)
            account = insert_account(connection, new, moment=moment)
            write_expected(connection, account)
            return account

        return await self._db.write(write)

    async def prune(self) -> None:
        """Delete links that expired."""
        delete = one_time_links.delete().where(one_time_links.c.expires_at <= self._clock())
        await self._db.write(lambda connection: connection.execute(delete))


def drop_reset_links(connection: sa.Connection, user_id: int) -> None:
    """End every pending link of an account."""
    connection.execute(one_time_links.delete().where(one_time_links.c.user_id == user_id))


def drop_issued_links(connection: sa.Connection, username: str) -> None:
    """End every pending link that an administrator issued."""
    by = name_administrator(username)
    connection.execute(one_time_links.delete().where(one_time_links.c.issued_by == by))


def _take(connection: sa.Connection, token_hash: str, *, moment: datetime) -> sa.Row[tuple[int]]:
    """Use up a link: of two simultaneous redemptions one finds its row.

    Raises:
        LinkInvalidError: it was redeemed, replaced or has expired meanwhile.
    """
    delete = one_time_links.delete().where(
        one_time_links.c.token_hash == token_hash, one_time_links.c.expires_at > moment
    )
    row = connection.execute(delete.returning(one_time_links.c.user_id)).one_or_none()
    if row is None:
        raise LinkInvalidError
    return row
