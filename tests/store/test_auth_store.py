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
    Client,
    NewApiToken,
    Reused,
    Rotated,
    hash_token,
)
from services.auth.domain.entities import Account, AccountChanges, NewAccount, Page
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
from services.auth.store.tables import metadata, outbox, refresh_tokens, users
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
        await accounts.update_profile(bob.id, {"email": "a@example.ORG"})
    assert (await accounts.update_profile(alice.id, {"email": "a@example.org"})).email == "a@example.org"
    assert (await accounts.update_profile(alice.id, {"email": "", "bio": "x"})).email == ""
    assert (await accounts.update_profile(bob.id, {"email": "a@example.org"})).email == "a@example.org"
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


async def rotate(sessions: SqlSessionStore, token: str, successor: str) -> Rotated | Reused:
    return await sessions.rotate(hash_token(token), successor, expires_at=START + WEEK)


async def test_a_refresh_token_used_again_after_half_a_minute_ends_the_family(
    accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    alice = await add(accounts, "alice")
    await begin(sessions, alice, hash_token("t1"))
    assert isinstance(await rotate(sessions, "t1", "t2"), Rotated)
    clock.advance(seconds=30)
    reused = await rotate(sessions, "t1", "t3")
    assert isinstance(reused, Reused)
    assert [item.key for item in reused.revocations] == ["sid.family"]
    for token in ("t1", "t2", "t3"):
        with pytest.raises(RefreshTokenInvalidError):
            await rotate(sessions, token, "t4")


async def test_a_repetition_within_half_a_minute_gets_the_same_successor(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    await begin(sessions, await add(accounts, "alice"), hash_token("t1"))
    await rotate(sessions, "t1", "t2")
    clock.advance(seconds=29)
    repeated = await rotate(sessions, "t1", "t3")
    assert isinstance(repeated, Rotated)
    assert repeated.refresh == "t2"
    stored = await db.read(lambda connection: connection.execute(sa.select(refresh_tokens)).all())
    assert len(stored) == 2
    # Neither in clear nor a third token; base64 of a sealed one may hold the letters.
    assert "t2" not in {value for row in stored for value in row}
    assert isinstance(await rotate(sessions, "t2", "t4"), Rotated)


async def test_a_late_repetition_gets_the_newest_token_of_the_family(
    accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    await begin(sessions, await add(accounts, "alice"), hash_token("t1"))
    await rotate(sessions, "t1", "t2")
    await rotate(sessions, "t2", "t3")
    repeated = await rotate(sessions, "t1", "t4")
    assert isinstance(repeated, Rotated)
    assert repeated.refresh == "t3"
    clock.advance(hours=1)
    assert isinstance(await rotate(sessions, "t3", "t5"), Rotated)


async def test_a_repetition_after_the_end_of_the_session_gets_nothing(
    accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    await begin(sessions, await add(accounts, "alice"), hash_token("t1"))
    await rotate(sessions, "t1", "t2")
    await sessions.end_sessions(["family"], token_hash=None, token_id="")
    with pytest.raises(RefreshTokenInvalidError):
        await rotate(sessions, "t1", "t3")


async def test_successors_are_deleted_when_no_repetition_can_come(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    await begin(sessions, await add(accounts, "alice"), hash_token("t1"))
    await rotate(sessions, "t1", "t2")
    query = sa.select(sa.func.count()).where(refresh_tokens.c.sealed_successor.is_not(None))
    for seconds, left in ((29, 1), (1, 0)):
        clock.advance(seconds=seconds)
        await sessions.prune()
        assert await db.read(lambda connection: connection.execute(query).scalar()) == left


async def test_of_many_refreshes_with_one_token_all_get_the_same_successor(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    await begin(sessions, await add(accounts, "alice"), hash_token("t1"))
    outcomes = await asyncio.gather(*(rotate(sessions, "t1", f"n{number}") for number in range(6)))
    assert all(isinstance(outcome, Rotated) for outcome in outcomes)
    assert len({outcome.refresh for outcome in outcomes if isinstance(outcome, Rotated)}) == 1
    rows = await db.read(lambda connection: connection.execute(sa.select(refresh_tokens)).all())
    assert len(rows) == 2


async def test_a_user_sees_and_ends_sessions_of_their_own_only(
    accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    alice, bob = await add(accounts, "alice"), await add(accounts, "bob")
    for number, account in enumerate((alice, alice, alice, bob)):
        await begin(sessions, account, hash_token(f"t{number}"), family=f"f{number}")
        clock.advance(minutes=1)
    found = await sessions.list_sessions(alice.id)
    assert [session.id for session in found] == ["f2", "f1", "f0"]
    assert (found[0].client, found[0].last_used_at) == (Client("192.0.2.1", "a browser"), found[0].created_at)
    await rotate(sessions, "t0", "t9")
    assert (await sessions.list_sessions(alice.id))[2].last_used_at == clock()
    assert await sessions.end_own_sessions(alice.id, only="f3") == ()
    assert [item.key for item in await sessions.end_own_sessions(alice.id, only="f0")] == ["sid.f0"]
    assert [item.key for item in await sessions.end_own_sessions(alice.id, keep="f1")] == ["sid.f2"]
    assert [session.id for session in await sessions.list_sessions(alice.id)] == ["f1"]
    assert [session.id for session in await sessions.list_sessions(bob.id)] == ["f3"]


async def test_an_expired_refresh_token_gives_nothing(
    accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    await begin(sessions, await add(accounts, "alice"), "t1")
    clock.advance(days=7, seconds=1)
    outcome = await sessions.rotate("t1", "t2", expires_at=clock() + WEEK)
    assert isinstance(outcome, Reused)
    await sessions.prune()
    with pytest.raises(RefreshTokenInvalidError):
        await sessions.rotate("t1", "t2", expires_at=clock() + WEEK)


async def test_a_new_password_ends_every_other_session_and_refuses_sign_ins_under_way(
    accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    alice = await add(accounts, "alice")
    for family in ("mine", "other"):
        await begin(sessions, alice, f"token of {family}", family=family)
    revoked = await accounts.change_password(alice.id, "new hash", keep_session="mine")
    assert [item.key for item in revoked] == ["sid.other"]
    assert isinstance(await sessions.rotate("token of mine", "t2", expires_at=START + WEEK), Rotated)
    with pytest.raises(SignInFailedError):
        await begin(sessions, alice, "t3", family="late")


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


async def test_a_refresh_waits_for_a_demotion_that_is_under_way(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    alice = await add(accounts, "alice", is_staff=True)
    await begin(sessions, alice, "t1")
    with db.engine.connect() as connection, connection.begin():
        connection.execute(users.update().where(users.c.id == alice.id).values(is_staff=False))
        rotating = asyncio.create_task(sessions.rotate("t1", "t2", expires_at=START + WEEK))
        await asyncio.wait({rotating}, timeout=0.3)
    outcome = await rotating
    assert isinstance(outcome, Rotated)
    assert not outcome.account.is_staff


async def test_a_session_that_goes_on_leaves_no_expired_tokens(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore, clock: Time
) -> None:
    await begin(sessions, await add(accounts, "alice"), hash_token("t0"))
    for number in range(4):
        clock.advance(days=3)
        await sessions.rotate(hash_token(f"t{number}"), f"t{number + 1}", expires_at=clock() + WEEK)
        await sessions.prune()
    kept = sa.select(refresh_tokens.c.token_hash).order_by(refresh_tokens.c.token_hash)
    assert await db.read(lambda connection: list(connection.execute(kept).scalars())) == sorted(
        map(hash_token, ("t2", "t3", "t4"))
    )
