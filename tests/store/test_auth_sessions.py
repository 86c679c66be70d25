"""Sessions and their refresh tokens hold on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.auth.domain.credentials import (
    Client,
    Reused,
    Rotated,
    hash_token,
)
from services.auth.domain.errors import (
    RefreshTokenInvalidError,
    SignInFailedError,
)
from services.auth.store.accounts import SqlAccountStore
from services.auth.store.sessions import SqlSessionStore
from services.auth.store.tables import refresh_tokens, users
from services.common.db.database import Database
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
