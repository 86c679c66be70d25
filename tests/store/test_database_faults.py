"""Databases that break off, contradict and run full: what is written is written once, or said not to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.common.core.errors import UnavailableError
from services.common.db import postgres
from services.common.db.database import Database, create_engine
from services.common.db.queries import Query
from services.common.db.transactions import DatabaseFullError
from services.common.operations.store import NO_LIMITS
from tests.databases import make_database
from tests.store.operations_queue import METADATA, TABLES, Queue

_COUNTS = sa.Table(
    "counts",
    sa.MetaData(),
    sa.Column("name", sa.String(10), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)
_FREE = TABLES.operations.update().where(TABLES.operations.c.finished_at.is_(None)).values(lease_until=None)
_END_OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def db(server: str) -> AsyncIterator[Database]:
    """A real PostgreSQL with two counts."""
    engine = create_engine(make_database(server), service="public")
    METADATA.create_all(engine)
    _COUNTS.create(engine)
    database = Database(engine)
    rows = [{"name": name, "value": 0} for name in ("a", "b")]
    await database.write(lambda connection: connection.execute(_COUNTS.insert(), rows))
    yield database
    await database.close()


def end_connections(db: Database) -> None:
    """End every connection, as the restart of a server does."""
    other = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    with other.connect() as connection:
        connection.execute(_END_OTHERS)


def count_up(*names: str, level: str = "READ COMMITTED") -> Callable[[sa.Connection], None]:
    """A transaction that reads each count and writes it, one after the other."""

    def fn(connection: sa.Connection) -> None:
        connection.execute(sa.text(f"SET TRANSACTION ISOLATION LEVEL {level}"))
        for name in names:
            where = _COUNTS.c.name == name
            lock = sa.select(_COUNTS.c.value).where(where)
            value = connection.execute(
                lock if level == "SERIALIZABLE" else lock.with_for_update()
            ).scalar_one()
            connection.execute(sa.text("SELECT pg_sleep(0.05)"))
            connection.execute(_COUNTS.update().where(where).values(value=value + 1))

    return fn


async def read_counts(db: Database) -> list[int]:
    rows = await db.fetch(Query(sa.select(_COUNTS.c.value).order_by(_COUNTS.c.name)), {})
    return [row[0] for row in rows]


async def test_connections_that_broke_are_opened_anew(db: Database) -> None:
    await db.write(count_up("a"))
    assert await read_counts(db) == [1, 0]
    for _ in range(2):
        await asyncio.to_thread(end_connections, db)
        assert await read_counts(db) in ([1, 0], [2, 0])
        await asyncio.to_thread(end_connections, db)
        await db.write(count_up("a"))
    assert await read_counts(db) == [3, 0]


async def test_answers_go_to_who_asked_also_beside_errors_and_those_who_left(db: Database) -> None:
    number, text = sa.bindparam("number", type_=sa.Integer), sa.bindparam("text", type_=sa.String)
    query = Query(sa.select(12 / number, sa.func.length(text), sa.func.pg_sleep(0.01)))
    asked = [db.fetch(query, {"number": n % 5, "text": "x" * (n * 40_000)}) for n in range(30)]
    tasks = [asyncio.ensure_future(each) for each in asked]
    await asyncio.sleep(0)
    tasks[7].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[7], asyncio.CancelledError)
    for n, answer in enumerate(answers):
        if n % 5 == 0:
            assert "division by zero" in str(answer)
        elif n != 7:
            assert not isinstance(answer, BaseException)
            assert answer[0][:2] == (12 / (n % 5), n * 40_000)


async def test_a_database_that_is_silent_is_given_up(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_SILENT_S", 0.05)
    with pytest.raises(UnavailableError, match="the database does not answer"):
        await db.fetch(Query(sa.select(sa.func.pg_sleep(0.5))), {})
    assert await read_counts(db) == [0, 0]


async def test_a_connection_prepares_a_limited_number_of_statements(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_PREPARED", 3)
    prepared = sa.select(sa.func.count()).select_from(sa.text("pg_prepared_statements"))
    for n in (*range(5), 0):
        assert await db.fetch(Query(sa.select(sa.literal_column(str(n)))), {}) == [(n,)]
    assert (await db.fetch(Query(prepared), {}))[0][0] <= 3


async def test_a_statement_is_prepared_again_when_its_table_has_changed(db: Database) -> None:
    query = Query(sa.select(sa.text("*")).select_from(_COUNTS).order_by(sa.text("name")))
    assert await db.fetch(query, {}) == [("a", 0), ("b", 0)]
    add = sa.text("ALTER TABLE counts ADD COLUMN unit TEXT")
    await db.write(lambda connection: connection.execute(add))
    assert await db.fetch(query, {}) == [("a", 0, None), ("b", 0, None)]


async def test_parameters_of_each_type_arrive_as_they_are(db: Database) -> None:
    text = "ä '\"\\ € \U0001f600"
    values = {"text": text, "number": -3, "missing": None}
    types = {"text": sa.String, "number": sa.Integer, "missing": sa.String}
    query = Query(sa.select(*(sa.bindparam(name, type_=kind()) for name, kind in types.items())))
    assert await db.fetch(query, values) == [(text, -3, None)]


@pytest.mark.parametrize("level", ["READ COMMITTED", "SERIALIZABLE"], ids=["deadlock", "serialization"])
async def test_transactions_that_contradict_each_other_run_again(db: Database, level: str) -> None:
    await asyncio.gather(
        db.write(count_up("a", "b", level=level)),
        db.write(count_up("b", "a", level=level)),
    )
    assert await read_counts(db) == [2, 2]


async def test_operations_survive_the_loss_of_every_connection(db: Database) -> None:
    queue = Queue(db)
    await queue.add(12)
    wake = asyncio.Event()
    worker = asyncio.create_task(queue.engine("w", NO_LIMITS).run_forever(wake, concurrency=4))
    async with asyncio.timeout(60):
        while left := await queue.count_unfinished():
            if left > 4:
                await asyncio.to_thread(end_connections, db)
            await db.write(lambda connection: connection.execute(_FREE))
            wake.set()
            await asyncio.sleep(0.05)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    status = sa.select(TABLES.operations.c.status).distinct()
    assert await db.read(lambda connection: connection.execute(status).scalars().all()) == ["succeeded"]
    assert len(queue.done) == 12


async def test_a_full_disk_is_said_to_be_full(db: Database, tmp_path: Path) -> None:
    full = sa.text("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$")
    with pytest.raises(DatabaseFullError, match="the disk of the database is full"):
        await db.write(lambda connection: connection.execute(full))
    assert db.is_full
    engine = create_engine(f"sqlite:///{tmp_path}/full.sqlite3", service="apps")
    small = Database(engine)

    def fill(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 8")
        connection.exec_driver_sql("CREATE TABLE t (x TEXT)")
        for _ in range(50):
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", ("x" * 1000,))

    with pytest.raises(UnavailableError, match="the disk of the database is full"):
        await small.write(fill)
    await small.close()
