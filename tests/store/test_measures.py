"""Metrics that are measured in a database and in NATS, with the real ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from nats.aio.msg import Msg

from services.backups.store.measures import measure_backups
from services.backups.store.tables import backups
from services.common.core.clock import now
from services.common.db.database import Database
from services.common.db.probe import measure_database
from services.common.messaging.bus import Bus, Message
from services.common.messaging.consumer import measure_messaging
from services.common.messaging.streams import JOBS
from tests.store.backups_db import db
from tests.store.nats_server import nats

__all__ = ["db", "nats"]
LIMIT_S = 300.0


def insert(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """Insert a row; columns without a default that are not named get an empty value of their type."""
    empty: dict[type, Any] = {sa.String: "", sa.Text: "", sa.Integer: 0, sa.BigInteger: 0, sa.Boolean: False}
    for column in table.columns:
        if column.name not in values and not column.nullable and column.server_default is None:
            if column.primary_key and column.autoincrement is True:
                continue
            kind = type(column.type)
            values[column.name] = now() if kind not in (*empty, sa.JSON) else empty.get(kind, [])
    connection.execute(table.insert().values(**values))


async def test_a_database_says_how_large_it_is_and_who_is_connected(db: Database) -> None:
    dialect = await db.read(lambda connection: connection.dialect.name)
    measure = await measure_database(db)
    assert measure.size_bytes > 4096
    # At least the session that measures.
    assert bool(measure.sessions) == (dialect == "postgresql")
    assert measure.transaction_age_s >= 0


async def test_backups_that_failed_last_are_counted(db: Database) -> None:
    def fill(connection: sa.Connection) -> None:
        for number, (app, status) in enumerate(
            [("a", "completed"), ("a", "failed"), ("b", "failed"), ("b", "completed"), ("c", "missing")]
        ):
            insert(connection, backups, app_id=app, status=status, mark=f"m{number}")

    await db.write(fill)
    found = await measure_backups(db, overdue=2)
    assert found.by_status == {"completed": 2, "failed": 2, "missing": 1}
    assert (found.last_failed, found.overdue) == (1, 2)


async def test_apps_whose_newest_tested_backup_is_broken_are_counted(db: Database) -> None:
    made = [
        ("a", "passed"),
        ("a", "failed"),
        ("a", "untested"),
        ("b", "failed"),
        ("b", "passed"),
        ("c", "failed"),
    ]

    def fill(connection: sa.Connection) -> None:
        for number, (app, test) in enumerate(made):
            removed = now() if app == "c" else None
            values = {"app_id": app, "status": "completed", "test_status": test, "app_removed_at": removed}
            insert(connection, backups, mark=f"m{number}", **values)

    await db.write(fill)
    found = await measure_backups(db, overdue=0)
    assert found.by_test == {"passed": 2, "failed": 3, "untested": 1}
    assert found.tests_last_failed == 1


async def test_broken_archives_are_counted_also_of_removed_apps(db: Database) -> None:
    made: list[dict[str, Any]] = [
        {"check_status": "broken"},
        {"verification": "failed", "app_removed_at": now()},
        {"check_status": "broken", "verification": "failed"},
        {"check_status": "broken", "status": "missing"},
        {"check_status": "intact", "verification": "ok"},
        {},
    ]

    def fill(connection: sa.Connection) -> None:
        for number, values in enumerate(made):
            insert(connection, backups, mark=f"m{number}", **{"app_id": "a", "status": "completed", **values})

    await db.write(fill)
    assert (await measure_backups(db, overdue=0)).broken == 3


async def test_messages_that_wait_for_their_consumer_are_counted(nats: str) -> None:
    bus = Bus(nats, name="apps")
    blocked = asyncio.Event()

    async def wait(_: Msg) -> None:
        await blocked.wait()

    bus.consume(JOBS, "jobs.apps.v1.run", durable="apps-run", handler=wait, concurrency=1)
    bus.start()
    try:
        assert await bus.wait_connected(timeout=LIMIT_S)
        for number in range(5):
            await bus.publish(Message("jobs.apps.v1.run", b"x", f"id-{number}"))
        async with asyncio.timeout(LIMIT_S):
            while not (measured := await measure_messaging(bus))[0] or not measured[0][0].unacknowledged:  # noqa: ASYNC110 - the server decides when
                await asyncio.sleep(0.05)  # NATS decides when
        (consumer,), streams = measured
        assert consumer.name == "apps-run"
        assert consumer.pending + consumer.unacknowledged == 5
        assert {stream.name: stream.messages for stream in streams}[JOBS] == 5
    finally:
        blocked.set()
        await bus.close()


async def test_without_nats_there_is_nothing_to_measure() -> None:
    bus = Bus("nats://127.0.0.1:1", name="apps")
    assert await measure_messaging(bus) == ([], [])


pytestmark = pytest.mark.timeout(900)
