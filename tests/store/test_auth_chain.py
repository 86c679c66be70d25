"""What auth signs with and what it records: its keys and the chain of its audit log, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
import sqlalchemy as sa

from services.auth.domain.credentials import Authentication
from services.auth.domain.entities import Account, AccountChanges, AuditFilter, NewAuditEntry, Page
from services.auth.domain.errors import (
    AuditBrokenError,
    LastAdminError,
)
from services.auth.identity.signing_keys import PUBLISHED_BEFORE, SigningKeys
from services.auth.store.accounts import SqlAccountStore
from services.auth.store.audit import Expected, SqlAuditStore, expected
from services.auth.store.sessions import SqlSessionStore
from services.auth.store.signing_keys import SqlSigningKeyStore
from services.auth.store.tables import audit_entries, audit_head
from services.common.db.database import Database
from services.common.identity.keys import Sealer
from tests.store.auth_db import (
    START,
    Time,
    accounts,
    add,
    begin,
    clock,
    db,
    postgresql_url,
    sessions,
)

__all__ = ["accounts", "clock", "db", "postgresql_url", "sessions"]


async def test_of_many_replicas_that_start_at_once_one_makes_the_signing_key(
    db: Database, clock: Time
) -> None:
    store = SqlSigningKeyStore(db, Sealer("secret"), clock=clock)
    replicas = [SigningKeys(store, lifetime=timedelta(days=30), clock=clock) for _ in range(5)]
    await asyncio.gather(*(replica.load() for replica in replicas))
    assert len(await store.list_keys()) == 1


async def test_a_new_signing_key_is_published_before_it_signs_and_the_old_one_after(
    db: Database, accounts: SqlAccountStore, clock: Time
) -> None:
    alice = await add(accounts, "alice")
    store = SqlSigningKeyStore(db, Sealer("secret"), clock=clock)
    keys = SigningKeys(store, lifetime=timedelta(days=30), clock=clock)
    await keys.load()
    first = {key.kid for key in await keys.list_published()}
    clock.advance(days=31)
    await keys.load()
    published = {key.kid for key in await keys.list_published()}
    assert len(published) == 2
    old = await kid_of(keys, alice)
    assert {old} == first
    clock.advance(seconds=PUBLISHED_BEFORE.total_seconds())
    new = await kid_of(keys, alice)
    assert {new} == published - first
    clock.advance(minutes=59)
    await keys.load()
    assert await keys.find_key(old) is not None
    clock.advance(minutes=20)
    await keys.load()
    await store.prune()
    assert {key.kid for key in await keys.list_published()} == {new}


async def test_a_leaked_signing_key_is_replaced_at_once(
    db: Database, accounts: SqlAccountStore, clock: Time
) -> None:
    alice = await add(accounts, "alice")
    keys = SigningKeys(
        SqlSigningKeyStore(db, Sealer("secret"), clock=clock), lifetime=timedelta(days=30), clock=clock
    )
    await keys.load()
    leaked = await kid_of(keys, alice)
    await keys.replace()
    assert await kid_of(keys, alice) != leaked
    assert len(await keys.list_published()) == 1
    assert await keys.find_key(leaked) is None


async def test_keys_sealed_with_a_lost_secret_are_replaced_at_once(
    db: Database, accounts: SqlAccountStore, clock: Time
) -> None:
    alice = await add(accounts, "alice")
    for secret in ("one", "another"):
        keys = SigningKeys(
            SqlSigningKeyStore(db, Sealer(secret), clock=clock), lifetime=timedelta(days=30), clock=clock
        )
        await keys.load()
        assert await kid_of(keys, alice) in {key.kid for key in await keys.list_published() if key.private}


async def kid_of(keys: SigningKeys, account: Account) -> str:
    return str(
        jwt.get_unverified_header(
            await keys.sign(account, session="s", read_at=START, authentication=Authentication(START))
        )["kid"]
    )


def entry(number: int) -> NewAuditEntry:
    return NewAuditEntry(
        message_id=f"m{number}",
        timestamp=START,
        user_id=None,
        username=f"user{number % 2}",
        action="apps.DeployApp",
        target="",
        address="192.0.2.1",
        outcome="OK",
    )


async def test_the_audit_log_takes_each_message_once_in_one_chain(db: Database) -> None:
    store = SqlAuditStore(db)
    await asyncio.gather(*(store.append(entry(number % 6)) for number in range(12)))
    assert await store.verify() == 6
    entries, total = await store.list_entries(
        Page(1, 2), wanted=AuditFilter(user="user1", action="apps.DeployApp")
    )
    assert total == 3
    assert entries[0].id > entries[1].id
    assert (await store.list_entries(Page(1, 2), wanted=AuditFilter(action="apps.DeleteApp"))) == ([], 0)


async def test_changes_at_once_and_those_that_fail_leave_one_whole_chain(
    db: Database, accounts: SqlAccountStore, sessions: SqlSessionStore
) -> None:
    """Each entry waits for the chain last in its transaction, so that nobody waits for two in a circle."""
    root = await add(accounts, "root")

    async def change(number: int) -> None:
        expected.set(
            Expected(f"change{number}", lambda: replace(entry(number), message_id=f"change{number}"))
        )
        if number % 3 == 0:
            await add(accounts, f"user{number}")
        elif number % 3 == 1:
            await accounts.update_account(root.id, AccountChanges(is_staff=True, is_active=None))
        else:
            await begin(sessions, root, f"token{number}", family=f"family{number}")

    async def fail() -> None:
        expected.set(Expected("failed", lambda: replace(entry(99), message_id="failed")))
        with pytest.raises(LastAdminError):
            await accounts.delete_account(root.id)

    async with asyncio.timeout(60):
        await asyncio.gather(*(change(number) for number in range(18)), fail())
    store = SqlAuditStore(db)
    assert await store.verify() == 18
    entries, _ = await store.list_entries(Page(1, 100), wanted=AuditFilter())
    assert {one.message_id for one in entries} == {f"change{number}" for number in range(18)}


async def test_a_changed_or_removed_entry_is_found(db: Database) -> None:
    store = SqlAuditStore(db)
    for number in range(4):
        await store.append(entry(number))
    change = audit_entries.update().where(audit_entries.c.id == 2)
    await db.write(lambda connection: connection.execute(change.values(outcome="FAILED")))
    with pytest.raises(AuditBrokenError, match="entry 2"):
        await store.verify()
    await db.write(lambda connection: connection.execute(change.values(outcome="OK")))
    assert await store.verify() == 4
    last = audit_entries.delete().where(audit_entries.c.id == 4)
    await db.write(lambda connection: connection.execute(last))
    with pytest.raises(AuditBrokenError, match="at the end"):
        await store.verify()


async def fill(store: SqlAuditStore, count: int) -> None:
    """One entry an hour, the last an hour ago."""
    for number in range(count):
        moment = START - timedelta(hours=count - number)
        await store.append(replace(entry(number), timestamp=moment))


async def test_old_entries_go_and_the_rest_of_the_chain_is_still_verified(db: Database, clock: Time) -> None:
    store = SqlAuditStore(db, clock)
    await fill(store, 10)
    assert await store.prune_older_than(START - timedelta(hours=4)) == 6
    entries, total = await store.list_entries(Page(1, 100), wanted=AuditFilter())
    assert total == 5
    assert [one.id for one in entries] == [11, 10, 9, 8, 7]
    assert entries[0].action == "auth.AuditPruned"
    assert entries[0].target.startswith("entries up to 6, hash ")
    assert await store.verify() == 11
    assert await store.prune_older_than(START - timedelta(hours=4)) == 0
    await store.append(entry(99))
    assert await store.verify() == 12


async def test_a_log_that_is_pruned_again_and_again_and_whole_is_still_verified(
    db: Database, clock: Time
) -> None:
    store = SqlAuditStore(db, clock)
    await fill(store, 3)
    assert await store.prune_older_than(START) == 3
    clock.advance(days=2)
    assert await store.prune_older_than(clock()) == 1
    assert await store.verify() == 5
    entries, total = await store.list_entries(Page(1, 100), wanted=AuditFilter())
    assert (total, entries[0].id) == (1, 5)


async def test_entries_removed_by_hand_are_found_behind_a_pruning(db: Database, clock: Time) -> None:
    store = SqlAuditStore(db, clock)
    await fill(store, 10)
    await store.prune_older_than(START - timedelta(hours=6))

    async def run(statement: sa.Executable) -> None:
        await db.write(lambda connection: connection.execute(statement))

    await run(audit_entries.delete().where(audit_entries.c.id == 5))
    with pytest.raises(AuditBrokenError, match="entry 5 is missing"):
        await store.verify()
    # Not even by who also moves the beginning behind them.
    seventh = sa.select(audit_entries.c.hash).where(audit_entries.c.id == 7)
    digest = await db.read(lambda connection: connection.execute(seventh).scalar_one())
    await run(audit_entries.delete().where(audit_entries.c.id <= 7))
    await run(audit_head.update().where(audit_head.c.id == 2).values(length=7, hash=digest))
    with pytest.raises(AuditBrokenError, match="the entries up to 7 are gone"):
        await store.verify()
