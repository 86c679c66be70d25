"""Rows of accounts, for stores that read and change them within their own transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor
from typing import Any

import sqlalchemy as sa
from proximity.auth.v1 import events_pb2

from services.auth.domain.credentials import Revocation
from services.auth.domain.entities import Account, AccountQuota, NewAccount
from services.auth.domain.errors import EmailTakenError, LastAdminError, UsernameTakenError, UserNotFoundError
from services.auth.domain.lookalikes import make_skeleton
from services.auth.domain.names import normalize_name
from services.auth.store.locks import ACCOUNTS, lock
from services.auth.store.revocations import add_revocations, end_families
from services.auth.store.tables import outbox, sessions, users
from services.common.messaging.outbox import add_messages, new_message

USER_DEACTIVATED = "events.auth.v1.user_deactivated"


def build_account(row: sa.Row[Any]) -> Account:
    """Build an account from its row."""
    values = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return Account(**{name: values[name] for name in Account.__dataclass_fields__})


def get_account(connection: sa.Connection, user_id: int) -> Account:
    """Return the account.

    Raises:
        UserNotFoundError: there is none.
    """
    row = connection.execute(sa.select(users).where(users.c.id == user_id)).one_or_none()
    if row is None:
        raise UserNotFoundError(f"there is no user {user_id}")
    return build_account(row)


def insert_account(connection: sa.Connection, new: NewAccount, *, moment: datetime) -> Account:
    """Add an account; the first becomes administrator unless `new` says otherwise. Takes the lock of accounts.

    Raises:
        UsernameTakenError, EmailTakenError: it exists, or its name looks like another one's.
    """
    lock(connection, ACCOUNTS)
    check_email(connection, new.email)
    skeleton = _check_username(connection, new.username)
    # Read under the lock of accounts: two first registrations at once must not both become administrator.
    is_first = connection.execute(sa.select(users.c.id).limit(1)).first() is None
    insert = users.insert().values(
        username=new.username,
        username_key=normalize_name(new.username),
        username_skeleton=skeleton,
        password_hash=new.password_hash,
        first_name=new.first_name,
        last_name=new.last_name,
        is_staff=is_first if new.is_staff is None else new.is_staff,
        is_active=True,
        date_joined=moment,
        **render_email(new.email),
        **render_quota(new.quota),
    )
    return get_account(connection, connection.execute(insert.returning(users.c.id)).scalar_one())


def render_quota(quota: AccountQuota | None) -> dict[str, int | None]:
    """Return the columns of a quota; none where it stays as it is."""
    return {} if quota is None else {f"quota_{name}": value for name, value in vars(quota).items()}


def render_email(email: str) -> dict[str, str | None]:
    """Return the columns of an address."""
    return {"email": email, "email_key": normalize_name(email) or None}


def check_email(connection: sa.Connection, email: str, *, except_id: int | None = None) -> None:
    """Refuse an address that another account has.

    Raises:
        EmailTakenError: it is taken.
    """
    query = sa.select(users.c.id).where(users.c.email_key == normalize_name(email))
    taken = connection.execute(query).scalar() if email else None
    if taken is not None and taken != except_id:
        raise EmailTakenError(f"the email address {email!r} is taken")


def _check_username(connection: sa.Connection, username: str) -> str:
    """Refuse a name that is taken or looks like one that is, and return its skeleton."""
    _fill_skeletons(connection)
    skeleton = make_skeleton(username)
    query = sa.select(users.c.username, users.c.username_key).where(
        (users.c.username_key == normalize_name(username)) | (users.c.username_skeleton == skeleton)
    )
    found = connection.execute(query).all()
    if any(row.username_key == normalize_name(username) for row in found):
        raise UsernameTakenError(f"the username {username!r} is taken")
    if found:
        raise UsernameTakenError(
            f"the username {username!r} looks like {found[0].username!r}, which is taken; choose another one"
        )
    return skeleton


def _fill_skeletons(connection: sa.Connection) -> None:
    """Complete rows of the previous release and of imports, which have no skeleton."""
    query = sa.select(users.c.id, users.c.username).where(users.c.username_skeleton.is_(None))
    for row in connection.execute(query).all():
        change = users.update().where(users.c.id == row.id)
        connection.execute(change.values(username_skeleton=make_skeleton(row.username)))


def has_admin(connection: sa.Connection, *, except_id: int = 0) -> bool:
    """Return whether there is an active administrator other than `except_id`."""
    query = sa.select(users.c.id).where(users.c.is_staff, users.c.is_active, users.c.id != except_id).limit(1)
    return connection.execute(query).first() is not None


def check_other_admin(connection: sa.Connection, account: Account) -> None:
    """Refuse to remove the last active administrator.

    Raises:
        LastAdminError: there is no other.
    """
    if not has_admin(connection, except_id=account.id):
        raise LastAdminError(f"{account.username!r} is the last active administrator")


def revoke_account(
    connection: sa.Connection, account: Account, *, moment: datetime, end_sessions: bool
) -> Sequence[Revocation]:
    """Revoke all credentials of an account; those issued from the next second on are valid."""
    cutoff = float(floor(moment.timestamp()))
    connection.execute(users.update().where(users.c.id == account.id).values(valid_after=cutoff))
    found = end_families(connection, sessions.c.user_id == account.id, moment=moment) if end_sessions else []
    # Access tokens have whole seconds, answers on API tokens fractions: one verified later in this second read the
    # account after this change.
    return add_revocations(
        connection, [Revocation(f"user.{account.id}", moment.timestamp()), *found], moment=moment
    )


def announce_deactivation(
    connection: sa.Connection, account: Account, *, deleted: bool, apps_to: int = 0
) -> None:
    """Queue the event that an account cannot sign in any more."""
    event = events_pb2.UserDeactivated(
        user_id=account.id, username=account.username, deleted=deleted, apps_to=apps_to
    )
    add_messages(connection, outbox, messages=[new_message(USER_DEACTIVATED, event)])
