"""Revocations over a real NATS: forged ones, purged ones, and a server whose disk is full."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.auth.domain.credentials import Revocation
from services.auth.jobs.revocation_publisher import RevocationPublisher
from services.auth.store.revocations import SqlRevocationStore, add_revocations
from services.clients.auth.verification import watch_revocations
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.common.identity.tokens import Caller, Revocations, User
from services.common.messaging.bus import Bus, Message
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED
from tests.store.killed_nats import JOB, LIMIT_S, Nats, bus, nats, publish

__all__ = ["bus", "nats"]


async def test_a_nats_whose_disk_is_full_refuses_and_still_tells_what_is_revoked(
    nats: Nats, bus: Bus, tmp_path: Path
) -> None:
    known = Revocations(lambda: bus.is_connected)
    following = asyncio.create_task(watch_revocations(bus, known))
    caller = Caller(User(7, "alice", is_staff=False), issued_at=100)
    async with asyncio.timeout(LIMIT_S):
        while not known.is_current:  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.01)
    nats.fill_disk()
    with pytest.raises(UnavailableError, match="did not take"):
        await bus.publish(Message(JOB, b"x" * 10_000, "too much"))
    assert bus.is_connected
    assert bus.is_refusing
    upgrade(f"sqlite:///{tmp_path}/p.sqlite3", "auth")
    db = Database(create_engine(f"sqlite:///{tmp_path}/p.sqlite3", service="auth"))
    await db.write(
        lambda connection: add_revocations(connection, [Revocation("user.7", 100.5)], moment=now())
    )
    publishing = asyncio.create_task(
        RevocationPublisher(SqlRevocationStore(db), bus=bus, revocations=Revocations()).run()
    )
    async with asyncio.timeout(LIMIT_S):
        while not known.is_revoked(caller):  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.01)
    nats.kill()
    nats.start()
    await publish(bus, "there is room again")
    assert not bus.is_refusing
    async with asyncio.timeout(LIMIT_S):
        while await SqlRevocationStore(db).list_unpublished(10):  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.05)
    assert (await (await bus.key_value(REVOCATIONS_BUCKET)).get("user.7")).value == b"100.500000"
    for task in (following, publishing):
        task.cancel()
    await asyncio.gather(following, publishing, return_exceptions=True)
    await db.close()


async def follow(bus: Bus) -> tuple[Revocations, asyncio.Task[None]]:
    known = Revocations(lambda: bus.is_connected)
    following = asyncio.create_task(watch_revocations(bus, known))
    await wait_for(lambda: known.is_current)
    return known, following


async def wait_for(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - NATS decides when
            await asyncio.sleep(0.01)


def signed_in(user_id: int) -> Caller:
    return Caller(User(user_id, "alice", is_staff=False), session="s1", token_id="t1", issued_at=time.time())


FORGED = [
    ("user.7", b"not-a-number"),
    ("user.7", b"99999999999"),  # the year 5138
    ("user.7", b"nan"),
    ("user.7", b"inf"),
    ("user.7", b"-1"),
    ("user.7", b""),
    ("user.7", b"\xff\xfe"),
    ("user.7", b"1" * 100_000),
    ("sid.s1", b"99999999999"),
    ("jti.t1", b"99999999999"),
    ("everybody", b"1"),
    ("user.7.and.more", b"1"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before a process starts", "while it follows"])
async def test_forged_revocations_are_reported_and_change_nothing(
    bus: Bus, before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = await bus.key_value(REVOCATIONS_BUCKET)
    known, following = (Revocations(), None) if before else await follow(bus)
    for number, (key, value) in enumerate(FORGED):
        await bucket.put(key, value)
        if before and number == len(FORGED) - 1:
            known, following = await follow(bus)
        if following is not None:
            await bus.hint(REVOKED, key.encode() + b" " + value)
    await bus.hint(REVOKED, b"\xff")
    await bucket.put("user.8", f"{time.time() + 1:.6f}".encode())
    await wait_for(lambda: known.is_revoked(signed_in(8)))
    assert known.is_current
    assert not known.is_revoked(signed_in(7))
    assert following is not None
    assert not following.done()
    assert "revocation_refused" in capsys.readouterr().out
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_revocation_that_an_operator_purges_ends(nats: Nats, bus: Bus) -> None:
    bucket = await bus.key_value(REVOCATIONS_BUCKET)
    known, following = await follow(bus)
    for user_id in (7, 8, 9):
        await bucket.put(f"user.{user_id}", f"{time.time() + 60:.6f}".encode())
        await wait_for(lambda user_id=user_id: known.is_revoked(signed_in(user_id)))  # type: ignore[misc]
    await bucket.purge("user.7")
    await wait_for(lambda: not known.is_revoked(signed_in(7)))
    await bucket.delete("user.8")
    await wait_for(lambda: not known.is_revoked(signed_in(8)))
    assert known.is_revoked(signed_in(9))
    nats.kill()
    shutil.rmtree(nats.folder)  # what is not there any more when the process follows again was removed, too
    nats.start()
    await wait_for(lambda: not known.is_revoked(signed_in(9)))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
