"""Accounts in the database."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.auth.domain.credentials import Revocation
from services.auth.domain.entities import Account, AccountChanges, NewAccount, Page, ProfileChanges
from services.auth.domain.errors import HeirInvalidError, UserNotFoundError
from services.auth.domain.names import normalize_name
from services.auth.store.account_rows import (
    announce_deactivation,
    build_account,
    check_email,
    check_other_admin,
    get_account,
    has_admin,
    insert_account,
    render_email,
    render_quota,
    revoke_account,
)
from services.auth.store.api_tokens import end_user_tokens
from services.auth.store.audit import write_expected
from services.auth.store.locks import ACCOUNTS, lock
from services.auth.store.one_time_links import drop_issued_links, drop_reset_links
from services.auth.store.revocations import add_revocations, end_families
from services.auth.store.tables import sessions, users
from services.common.core.clock import Clock, now
from services.common.core.errors import Violation
from services.common.db.database import Database
from services.common.db.queries import Query, RowParser, comes_after

_COLUMNS = tuple(users.c[name] for name in Account.__dataclass_fields__)
_ACCOUNT = Query(sa.select(*_COLUMNS).where(users.c.id == sa.bindparam("id")))
_PARSER = RowParser(_COLUMNS)


class SqlAccountStore:
    """Accounts in SQLite or PostgreSQL; implements `AccountStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def has_admin(self) -> bool:
        """See `AccountStore.has_admin`."""
        return await self._db.read(has_admin)

    async def add_account(self, new: NewAccount) -> Account:
        """See `AccountStore.add_account`."""
        return await self._db.write(lambda connection: self._add(connection, new))

    async def add_first_admin(self, new: NewAccount) -> Account | None:
        """See `AccountStore.add_first_admin`."""

        def write(connection: sa.Connection) -> Account | None:
            lock(connection, ACCOUNTS)  # before reading: two replicas start at once
            return None if has_admin(connection) else self._add(connection, new)

        return await self._db.write(write)

    def _add(self, connection: sa.Connection, new: NewAccount) -> Account:
        account = insert_account(connection, new, moment=self._clock())
        write_expected(connection, account)
        return account

    async def find_account(self, username: str) -> Account | None:
        """See `AccountStore.find_account`."""
        query = sa.select(users).where(users.c.username_key == normalize_name(username))
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else build_account(row)

    async def get_account(self, user_id: int) -> Account:
        """See `AccountStore.get_account`."""
        rows = await self._db.fetch(_ACCOUNT, {"id": user_id})
        if not rows:
            raise UserNotFoundError(f"there is no user {user_id}")
        return Account(**_PARSER.parse(rows[0]))

    async def list_accounts(self, search: str, page: Page) -> tuple[list[Account], int]:
        """See `AccountStore.list_accounts`."""
        condition: sa.ColumnElement[bool] = sa.true()
        if search:
            part = normalize_name(search)
            condition = users.c.username_key.contains(part, autoescape=True) | users.c.email_key.contains(
                part, autoescape=True
            )
        query = sa.select(users).where(condition).order_by(users.c.id).offset(page.offset).limit(page.size)
        if page.after:
            query = query.where(comes_after([(users.c.id, False, page.after)]))
        count = sa.select(sa.func.count()).select_from(users).where(condition)

        def read(connection: sa.Connection) -> tuple[list[Account], int]:
            rows = connection.execute(query).all()
            return [build_account(row) for row in rows], connection.execute(count).scalar_one()

        return await self._db.read(read)

    async def update_profile(self, user_id: int, changes: ProfileChanges) -> Account:
        """See `AccountStore.update_profile`."""
        values = changes.given
        if changes.email is not None:
            values |= render_email(changes.email)

        def write(connection: sa.Connection) -> Account:
            if values.get("email"):
                # Two accounts must not get one address at once.
                lock(connection, ACCOUNTS)
                check_email(connection, values["email"], except_id=user_id)
            connection.execute(users.update().where(users.c.id == user_id).values(**values))
            account = get_account(connection, user_id)
            write_expected(connection)
            return account

        return await self._db.write(write)

    async def update_password_hash(self, user_id: int, password_hash: str, *, was: str) -> None:
        """See `AccountStore.update_password_hash`."""
        change = users.update().where(users.c.id == user_id, users.c.password_hash == was)
        await self._db.write(
            lambda connection: connection.execute(change.values(password_hash=password_hash))
        )

    async def change_password(
        self, user_id: int, password_hash: str, *, keep_session: str, keep_api_tokens: bool = False
    ) -> Sequence[Revocation]:
        """See `AccountStore.change_password`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            get_account(connection, user_id)
            change = users.update().where(users.c.id == user_id).values(password_hash=password_hash)
            connection.execute(change)
            drop_reset_links(connection, user_id)
            # The session that changes the password stays; everybody else who knew the old one is signed out.
            others = (sessions.c.user_id == user_id) & (sessions.c.family != keep_session)
            ended = end_families(connection, others, moment=moment)
            if not keep_api_tokens:
                ended += end_user_tokens(connection, user_id, moment=moment)
            revoked = add_revocations(connection, ended, moment=moment)
            write_expected(connection)
            return revoked

        return await self._db.write(write)

    async def update_account(
        self, user_id: int, changes: AccountChanges
    ) -> tuple[Account, Sequence[Revocation]]:
        """See `AccountStore.update_account`."""

        def write(connection: sa.Connection) -> tuple[Account, Sequence[Revocation]]:
            lock(connection, ACCOUNTS)  # two administrators must not demote each other at once
            account = get_account(connection, user_id)
            staff = account.is_staff if changes.is_staff is None else changes.is_staff
            active = account.is_active if changes.is_active is None else changes.is_active
            if account.is_staff and account.is_active and not (staff and active):
                check_other_admin(connection, account)
            change = users.update().where(users.c.id == user_id).values(is_staff=staff, is_active=active)
            connection.execute(change.values(**render_quota(changes.quota)))
            if (staff, active) != (account.is_staff, account.is_active):
                drop_reset_links(connection, user_id)  # issued for an account that had fewer rights
            if account.is_staff and not (staff and active):
                drop_issued_links(connection, account.username)
            revoked: Sequence[Revocation] = ()
            if account.is_active and not active:
                revoked = revoke_account(connection, account, moment=self._clock(), end_sessions=True)
                announce_deactivation(connection, account, deleted=False)
            elif account.is_staff and not staff:
                revoked = revoke_account(connection, account, moment=self._clock(), end_sessions=False)
            write_expected(connection)
            return get_account(connection, user_id), revoked

        return await self._db.write(write)

    async def end_user_sessions(self, user_id: int) -> Sequence[Revocation]:
        """See `AccountStore.end_user_sessions`."""

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            account = get_account(connection, user_id)
            revoked = revoke_account(connection, account, moment=self._clock(), end_sessions=True)
            write_expected(connection)
            return revoked

        return await self._db.write(write)

    async def delete_account(self, user_id: int, *, apps_to: int | None = None) -> Sequence[Revocation]:
        """See `AccountStore.delete_account`."""

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            lock(connection, ACCOUNTS)
            account = get_account(connection, user_id)
            if account.is_staff and account.is_active:
                check_other_admin(connection, account)
            if apps_to is not None:
                _check_heir(connection, account, user_id=apps_to)
            revoked = revoke_account(connection, account, moment=self._clock(), end_sessions=True)
            announce_deactivation(connection, account, deleted=True, apps_to=apps_to or 0)
            drop_issued_links(connection, account.username)
            connection.execute(users.delete().where(users.c.id == user_id))
            write_expected(connection)
            return revoked

        return await self._db.write(write)


def _check_heir(connection: sa.Connection, account: Account, *, user_id: int) -> None:
    row = connection.execute(sa.select(users.c.is_active).where(users.c.id == user_id)).one_or_none()
    fault = ""
    if user_id == account.id:
        fault = f"{user_id} is the account that is removed"
    elif row is None:
        fault = f"there is no user {user_id}"
    elif not row.is_active:
        fault = f"user {user_id} is not active"
    if fault:
        raise HeirInvalidError(f"apps_to: {fault}", violations=[Violation("apps_to", fault)])
