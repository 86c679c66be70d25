"""The stores of auth hold on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import sqlalchemy as sa
from proximity.auth.v1 import events_pb2

from services.auth.domain.credentials import (
    Authentication,
    NewApiToken,
    Rotated,
)
from services.auth.domain.entities import Account, AccountChanges, NewAccount, Page, ProfileChanges
from services.auth.domain.errors import (
    ApiTokenNameTakenError,
    ApiTokenNotFoundError,
    EmailTakenError,
    LastAdminError,
    RefreshTokenInvalidError,
    SignInFailedError,
    UsernameTakenError,
    UserNotFoundError,
)
from services.auth.domain.limits import Limit
from services.auth.identity.signing_keys import SigningKeys
from services.auth.store.accounts import SqlAccountStore
from services.auth.store.api_tokens import SqlApiTokenStore
from services.auth.store.attempts import SqlAttemptStore
from services.auth.store.revocations import SqlRevocationStore
from services.auth.store.sessions import SqlSessionStore
from services.auth.store.signing_keys import SqlSigningKeyStore
from services.auth.store.tables import metadata, outbox
from services.common.db.database import Database
from services.common.identity.keys import Sealer
from tests.store.auth_db import (
    START,
    WEEK,
    Time,
    accounts,
    add,
    begin,
    clock,
    db,
    postgresql_url,
    sessions,
    tokens,
)

__all__ = ["accounts", "clock", "db", "postgresql_url", "sessions", "tokens"]


async def test_the_migrations_make_the_tables_that_the_code_uses(db: Database) -> None:
    inspector = sa.inspect(db.engine)
    for table in metadata.tables.values():
        assert {column["name"] for column in inspector.get_columns(table.name)} == set(table.columns.keys())


async def test_of_many_first_users_one_is_administrator(accounts: SqlAccountStore) -> None:
    added = await asyncio.gather(*(add(accounts, f"user{number}") for number in range(8)))
    assert [account.is_staff for account in added].count(True) == 1


async def test_of_many_with_the_same_name_one_gets_it(accounts: SqlAccountStore) -> None:
    names = ["alice", "ALICE", "Alice", "aLICE"]
    results = await asyncio.gather(*(add(accounts, name) for name in names), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Account", *["UsernameTakenError"] * 3]


async def test_names_and_addresses_are_unique_whatever_the_case(accounts: SqlAccountStore) -> None:
    alice = await add(accounts, "alice", email="A@example.org")
    bob = await add(accounts, "bob")
    await add(accounts, "carol")
    with pytest.raises(UsernameTakenError):
        await add(accounts, "Alice")
    with pytest.raises(EmailTakenError):
        await add(accounts, "dave", email="a@EXAMPLE.org")
    with pytest.raises(EmailTakenError):
        await accounts.update_profile(bob.id, ProfileChanges(email="a@example.ORG"))
    assert (
        await accounts.update_profile(alice.id, ProfileChanges(email="a@example.org"))
    ).email == "a@example.org"
    assert (await accounts.update_profile(alice.id, ProfileChanges(email="", bio="x"))).email == ""
    assert (
        await accounts.update_profile(bob.id, ProfileChanges(email="a@example.org"))
    ).email == "a@example.org"
    found = await accounts.find_account("ALICE")
    assert found is not None
    assert (found.id, found.bio, found.preferred_theme) == (alice.id, "x", "rack_proximity")


async def test_only_without_admin_adds_nothing_when_there_is_one(accounts: SqlAccountStore) -> None:
    await add(accounts, "alice", is_staff=False)
    assert not await accounts.has_admin()
    new = NewAccount(username="root", email="", password_hash="hash", is_staff=True)
    root = await accounts.add_first_admin(new)
    assert root is not None
    assert root.is_staff
    assert await accounts.has_admin()
    second = replace(new, username="other")
    assert await accounts.add_first_admin(second) is None
    assert await accounts.find_account("other") is None


async def test_a_search_takes_wildcards_as_they_are(accounts: SqlAccountStore) -> None:
    for name in ("a_b", "axb", "A_C"):
        await add(accounts, name)
    found, total = await accounts.list_accounts("a_", Page(1, 1))
    assert ([account.username for account in found], total) == (["a_b"], 2)


async def test_the_last_active_administrator_stays_one(accounts: SqlAccountStore) -> None:
    root = await add(accounts, "root")
    other = await add(accounts, "other", is_staff=True)
    await accounts.update_account(other.id, AccountChanges(is_staff=None, is_active=False))
    for is_staff, is_active in ((False, None), (None, False)):
        with pytest.raises(LastAdminError):
            await accounts.update_account(root.id, AccountChanges(is_staff=is_staff, is_active=is_active))
    with pytest.raises(LastAdminError):
        await accounts.delete_account(root.id)
    await accounts.delete_account(other.id)
    with pytest.raises(UserNotFoundError):
        await accounts.get_account(other.id)


async def test_two_administrators_cannot_demote_each_other_at_once(accounts: SqlAccountStore) -> None:
    one = await add(accounts, "one")
    other = await add(accounts, "other", is_staff=True)
    results = await asyncio.gather(
        *(
            accounts.update_account(account.id, AccountChanges(is_staff=False, is_active=None))
            for account in (one, other)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, LastAdminError) for result in results) == 1


async def test_a_deactivated_user_loses_sessions_and_everybody_learns_of_it(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    await add(accounts, "root")
    alice = await add(accounts, "alice")
    await begin(sessions, alice, "t1")
    changed, revoked = await accounts.update_account(alice.id, AccountChanges(is_staff=None, is_active=False))
    assert {item.key for item in revoked} == {f"user.{alice.id}", "sid.family"}
    assert changed.valid_after == START.timestamp()
    with pytest.raises(RefreshTokenInvalidError):
        await sessions.rotate("t1", "t2", expires_at=START + WEEK)
    with pytest.raises(SignInFailedError):
        await begin(sessions, alice, "t3", family="other")
    rows = await db.read(lambda connection: connection.execute(sa.select(outbox)).all())
    event = events_pb2.UserDeactivated.FromString(bytes(rows[0].payload))
    assert (event.user_id, event.deleted) == (alice.id, False)


async def test_a_demoted_user_keeps_the_session_but_not_the_tokens_so_far(
    accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    await add(accounts, "root")
    alice = await add(accounts, "alice", is_staff=True)
    await begin(sessions, alice, "t1")
    _, revoked = await accounts.update_account(alice.id, AccountChanges(is_staff=False, is_active=None))
    assert [item.key for item in revoked] == [f"user.{alice.id}"]
    rotated = await sessions.rotate("t1", "t2", expires_at=START + WEEK)
    assert isinstance(rotated, Rotated)
    assert not rotated.account.is_staff


async def test_revocations_wait_until_they_are_published(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    await begin(sessions, await add(accounts, "alice"), "t1")
    await sessions.end_sessions([], token_hash="t1", token_id="j1")
    store = SqlRevocationStore(db, clock)
    pending = await store.list_unpublished(10)
    assert {item.key for item in pending} == {"sid.family", "jti.j1"}
    await store.mark_published([item.id for item in pending])
    assert await store.list_unpublished(10) == []
    assert len(await store.list_current()) == 2
    clock.advance(hours=2)
    await store.prune()
    assert await store.list_current() == []


async def test_attempts_are_counted_once_each_and_forgotten_on_success(db: Database, clock: Time) -> None:
    store, limit = SqlAttemptStore(db, clock), Limit("login-account", 3, timedelta(minutes=1))
    keys = [limit.key_of("alice")]
    await asyncio.gather(*(store.note([(limit, "alice")]) for _ in range(3)))
    assert await store.find_block(keys) is None
    await store.note([(limit, "alice")])
    assert await store.find_block(keys) == START + timedelta(seconds=2)
    assert await store.find_block([limit.key_of("bob")]) is None
    clock.advance(seconds=2)
    assert await store.find_block(keys) is None
    await store.note([(limit, "alice")])
    await store.clear(keys)
    assert await store.find_block(keys) is None


def new_token(user: Account, name: str = "ci") -> NewApiToken:
    return NewApiToken(
        user_id=user.id,
        name=name,
        scopes=("read", "write"),
        token_hash=secrets.token_hex(32),
        expires_at=START + timedelta(days=1),
    )


async def test_an_api_token_belongs_to_its_user_until_it_ends(
    accounts: SqlAccountStore, tokens: SqlApiTokenStore, clock: Time
) -> None:
    root, alice = await add(accounts, "root"), await add(accounts, "alice")
    new = new_token(alice)
    token = await tokens.add_token(new)
    with pytest.raises(ApiTokenNameTakenError):
        await tokens.add_token(new_token(alice))
    await tokens.add_token(new_token(root))
    found = await tokens.find_by_hash(new.token_hash)
    assert found is not None
    assert (found[0].scopes, found[1].id) == (("read", "write"), alice.id)
    assert (await tokens.list_tokens(alice.id))[0].last_used_at == START
    with pytest.raises(ApiTokenNotFoundError):
        await tokens.delete_token(token.id, user_id=root.id)
    clock.advance(days=1)
    assert await tokens.find_by_hash(new.token_hash) is None


async def test_an_api_token_ends_with_its_user(accounts: SqlAccountStore, tokens: SqlApiTokenStore) -> None:
    await add(accounts, "root")
    alice, bob = await add(accounts, "alice"), await add(accounts, "bob")
    of_alice, of_bob = new_token(alice), new_token(bob)
    await tokens.add_token(of_alice)
    await tokens.add_token(of_bob)
    await accounts.update_account(alice.id, AccountChanges(is_staff=None, is_active=False))
    await accounts.delete_account(bob.id)
    assert await tokens.find_by_hash(of_alice.token_hash) is None
    assert await tokens.find_by_hash(of_bob.token_hash) is None


async def test_an_access_token_issued_after_a_revocation_is_valid(
    db: Database, accounts: SqlAccountStore
) -> None:
    alice = await add(accounts, "alice")
    keys = SigningKeys(SqlSigningKeyStore(db, Sealer("secret")), lifetime=timedelta(days=30))
    await keys.load()
    moment = datetime.now(UTC).timestamp()
    revoked = replace(alice, valid_after=float(int(moment)))
    token = await keys.sign(
        revoked, session="s", read_at=datetime.now(UTC), authentication=Authentication(START)
    )
    assert jwt.decode(token, options={"verify_signature": False})["iat"] > moment


async def test_a_token_signed_after_a_demotion_for_who_was_read_before_is_revoked(
    db: Database, accounts: SqlAccountStore, clock: Time
) -> None:
    await add(accounts, "root", is_staff=True)
    alice = await add(accounts, "alice", is_staff=True)
    keys = SigningKeys(SqlSigningKeyStore(db, Sealer("secret"), clock=clock), lifetime=WEEK, clock=clock)
    read_at = clock()
    clock.advance(seconds=0.7)
    _, revoked = await accounts.update_account(alice.id, AccountChanges(is_staff=False, is_active=None))
    clock.advance(seconds=0.6)
    token = await keys.sign(alice, session="s", read_at=read_at, authentication=Authentication(START))
    assert jwt.decode(token, options={"verify_signature": False})["iat"] <= revoked[0].cutoff
