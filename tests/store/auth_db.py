"""A database for the suites of auth: SQLite and a real PostgreSQL, its tables made by the migrations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.auth.domain.credentials import Client, NewRefreshToken
from services.auth.domain.entities import Account, NewAccount
from services.auth.store.accounts import SqlAccountStore
from services.auth.store.api_tokens import SqlApiTokenStore
from services.auth.store.sessions import SqlSessionStore
from services.auth.store.tables import metadata
from services.common.db.database import Database, create_engine
from services.common.identity.keys import Sealer
from tests.databases import copy_postgresql, copy_sqlite


@pytest.fixture(scope="module")
def postgresql_url(server: str) -> str:
    return copy_postgresql("auth", server)


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = copy_sqlite("auth", tmp_path)
    else:
        url = request.getfixturevalue("postgresql_url")
    database = Database(create_engine(url, service="auth"), threads=8)
    yield database
    with database.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    await database.close()


START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WEEK = timedelta(days=7)


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def accounts(db: Database, clock: Time) -> SqlAccountStore:
    return SqlAccountStore(db, clock)


@pytest.fixture
def sessions(db: Database, clock: Time) -> SqlSessionStore:
    return SqlSessionStore(db, Sealer("the key of these tests"), clock=clock)


@pytest.fixture
def tokens(db: Database, clock: Time) -> SqlApiTokenStore:
    return SqlApiTokenStore(db, clock)


async def add(
    accounts: SqlAccountStore, username: str, *, email: str = "", is_staff: bool | None = None
) -> Account:
    account = await accounts.add_account(
        NewAccount(username=username, email=email, password_hash="hash", is_staff=is_staff)
    )
    assert account is not None
    return account


async def begin(sessions: SqlSessionStore, account: Account, token: str, *, family: str = "family") -> None:
    new = NewRefreshToken(token, family, START + WEEK)
    await sessions.add_session(account.id, new, password_hash="hash", client=Client("192.0.2.1", "a browser"))
