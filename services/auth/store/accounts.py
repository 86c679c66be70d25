"""Accounts in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import sqlalchemy as sa
from proximity.auth.v1 import events_pb2

from services.auth.domain.entities import Account, NewAccount, Page, Quota, Revocation, normalize_name
from services.auth.domain.errors import EmailTakenError, LastAdminError, UsernameTakenError, UserNotFoundError
from services.auth.store.audit import write_expected
from services.auth.store.locks import ACCOUNTS, lock
from services.auth.store.revocations import add_revocations, end_families
from services.auth.store.tables import outbox, sessions, users
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.db.queries import Query, RowParser
from services.common.messaging.outbox import add_messages, new_message

_COLUMNS = tuple(users.c[name] for name in Account.__dataclass_fields__)
_ACCOUNT = Query(sa.select(*_COLUMNS).where(users.c.id == sa.bindparam("id")))
_PARSER = RowParser(_COLUMNS)
USER_DEACTIVATED = "events.auth.v1.user_deactivated"


class SqlAccountStore:
    """Accounts in SQLite or PostgreSQL; implements `AccountStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def has_admin(self) -> bool:
        """See `AccountStore.has_admin`."""
        return await self._db.read(_has_admin)

    async def add_account(self, new: NewAccount, *, only_without_admin: bool = False) -> Account | None:
        """See `AccountStore.add_account`."""

        def write(connection: sa.Connection) -> Account | None:
            lock(connection, ACCOUNTS)
            if only_without_admin and _has_admin(connection):
                return None
            is_first = connection.execute(sa.select(users.c.id).limit(1)).first() is None
            _check_free(connection, username=new.username, email=new.email)
            is_staff = is_first if new.is_staff is None else new.is_staff
            insert = users.insert().values(
                username=new.username,
                username_key=normalize_name(new.username),
                password_hash=new.password_hash,
                first_name=new.first_name,
                last_name=new.last_name,
                is_staff=is_staff,
                is_active=True,
                date_joined=self._clock(),
                **_email_columns(new.email),
            )
            account = _get(connection, connection.execute(insert.returning(users.c.id)).scalar_one())
            write_expected(connection, account)
            return account

        return await self._db.write(write)

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
        count = sa.select(sa.func.count()).select_from(users).where(condition)

        def read(connection: sa.Connection) -> tuple[list[Account], int]:
            rows = connection.execute(query).all()
            return [build_account(row) for row in rows], connection.execute(count).scalar_one()

        return await self._db.read(read)

    async def update_profile(self, user_id: int, changes: Mapping[str, Any]) -> Account:
        """See `AccountStore.update_profile`."""
        values = dict(changes)
        if "email" in values:
            values |= _email_columns(values["email"])

        def write(connection: sa.Connection) -> Account:
            if values.get("email"):
                lock(connection, ACCOUNTS)
                _check_free(connection, email=values["email"], except_id=user_id)
            connection.execute(users.update().where(users.c.id == user_id).values(**values))
            account = _get(connection, user_id)
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
        self, user_id: int, password_hash: str, *, keep_session: str
    ) -> tuple[Account, Sequence[Revocation]]:
        """See `AccountStore.change_password`."""
        moment = self._clock()

        def write(connection: sa.Connection) -> tuple[Account, Sequence[Revocation]]:
            change = users.update().where(users.c.id == user_id).values(password_hash=password_hash)
            connection.execute(change)
            account = _get(connection, user_id)
            others = (sessions.c.user_id == user_id) & (sessions.c.family != keep_session)
            revoked = add_revocations(connection, end_families(connection, others, moment), moment)
            write_expected(connection)
            return account, revoked

        return await self._db.write(write)

    async def update_account(
        self, user_id: int, *, is_staff: bool | None, is_active: bool | None, quota: Quota | None = None
    ) -> tuple[Account, Sequence[Revocation]]:
        """See `AccountStore.update_account`."""

        def write(connection: sa.Connection) -> tuple[Account, Sequence[Revocation]]:
            lock(connection, ACCOUNTS)
            account = _get(connection, user_id)
            staff = account.is_staff if is_staff is None else is_staff
            active = account.is_active if is_active is None else is_active
            if account.is_staff and account.is_active and not (staff and active):
                _check_other_admin(connection, account)
            change = users.update().where(users.c.id == user_id).values(is_staff=staff, is_active=active)
            connection.execute(change.values(**_quota_columns(quota)))
            revoked: Sequence[Revocation] = ()
            if account.is_active and not active:
                revoked = self._revoke(connection, account, end_sessions=True)
                _announce(connection, account, deleted=False)
            elif account.is_staff and not staff:
                revoked = self._revoke(connection, account, end_sessions=False)
            write_expected(connection)
            return _get(connection, user_id), revoked

        return await self._db.write(write)

    async def delete_account(self, user_id: int) -> Sequence[Revocation]:
        """See `AccountStore.delete_account`."""

        def write(connection: sa.Connection) -> Sequence[Revocation]:
            lock(connection, ACCOUNTS)
            account = _get(connection, user_id)
            if account.is_staff and account.is_active:
                _check_other_admin(connection, account)
            revoked = self._revoke(connection, account, end_sessions=True)
            _announce(connection, account, deleted=True)
            connection.execute(users.delete().where(users.c.id == user_id))
            write_expected(connection)
            return revoked

        return await self._db.write(write)

    def _revoke(
        self, connection: sa.Connection, account: Account, *, end_sessions: bool
    ) -> Sequence[Revocation]:
        """Revoke all that was issued to an account; what is issued from the next second on is valid."""
        moment = self._clock()
        cutoff = float(floor(moment.timestamp()))
        connection.execute(users.update().where(users.c.id == account.id).values(valid_after=cutoff))
        found = end_families(connection, sessions.c.user_id == account.id, moment) if end_sessions else []
        # API tokens were verified at a fraction of the second; those verified in the rest of it asked us after this.
        return add_revocations(
            connection, [Revocation(f"user.{account.id}", moment.timestamp()), *found], moment
        )


def build_account(row: sa.Row[Any]) -> Account:
    """An account of its row."""
    values = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return Account(**{name: values[name] for name in Account.__dataclass_fields__})


def _get(connection: sa.Connection, user_id: int) -> Account:
    row = connection.execute(sa.select(users).where(users.c.id == user_id)).one_or_none()
    if row is None:
        raise UserNotFoundError(f"there is no user {user_id}")
    return build_account(row)


def _quota_columns(quota: Quota | None) -> dict[str, int | None]:
    return {} if quota is None else {f"quota_{name}": value for name, value in vars(quota).items()}


def _email_columns(email: str) -> dict[str, str | None]:
    return {"email": email, "email_key": normalize_name(email) or None}


def _check_free(
    connection: sa.Connection, *, username: str = "", email: str = "", except_id: int | None = None
) -> None:
    for value, column in ((username, users.c.username_key), (email, users.c.email_key)):
        if not value:
            continue
        taken = connection.execute(sa.select(users.c.id).where(column == normalize_name(value))).scalar()
        if taken is None or taken == except_id:
            continue
        if column is users.c.username_key:
            raise UsernameTakenError(f"the username {username!r} is taken")
        raise EmailTakenError(f"the email address {email!r} is taken")


def _has_admin(connection: sa.Connection, *, except_id: int = 0) -> bool:
    query = sa.select(users.c.id).where(users.c.is_staff, users.c.is_active, users.c.id != except_id).limit(1)
    return connection.execute(query).first() is not None


def _check_other_admin(connection: sa.Connection, account: Account) -> None:
    if not _has_admin(connection, except_id=account.id):
        raise LastAdminError(f"{account.username!r} is the last active administrator")


def _announce(connection: sa.Connection, account: Account, *, deleted: bool) -> None:
    event = events_pb2.UserDeactivated(user_id=account.id, username=account.username, deleted=deleted)
    add_messages(connection, outbox, [new_message(USER_DEACTIVATED, event)])
