"""A service says in words why its database cannot be used, within seconds, and when it can be used again."""
# ruff: noqa: ASYNC110, ASYNC240 - other processes decide when; files of a test are small

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.db import transactions as retries
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.common.db.probe import DatabaseProbe
from services.common.db.queries import Query
from services.common.db.transactions import (
    DatabaseDamagedError,
    DatabaseLockedError,
    DatabaseUnavailableError,
)
from services.common.identity.keys import make_service_keys
from services.common.process.health import CONDITION, read_reason

LIMIT_S = 300.0  # for a process to start; no assertion is about seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path}/p.sqlite3"
    upgrade(url, "catalog")
    path = tmp_path / "p-catalog.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO rejections (source, position, file, error) VALUES ('x', ?, ?, ?)",
            [(number, f"{number}.yaml", "e" * 500) for number in range(500)],
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@pytest.fixture
async def db(file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(create_engine(f"sqlite:///{tmp_path}/p.sqlite3", service="catalog"))
    yield database
    await database.close()


def damage(path: Path) -> None:
    """Overwrite pages in the middle, as a failing disk may."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * (size // 8192))
        file.write(os.urandom(4096 * 8))


async def look_until(probe: DatabaseProbe, words: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while bool(fault := await probe.look()) != bool(words):
            await asyncio.sleep(0.05)
    assert words in fault


async def test_a_full_disk_is_reported_also_while_nothing_is_written(db: Database) -> None:
    assert await DatabaseProbe(db, least_free=1 << 60).look() == "the disk of the database is full"
    assert await DatabaseProbe(db).look() == ""


async def test_a_damaged_file_is_found_though_nothing_reads_it(db: Database, file: Path) -> None:
    probe = DatabaseProbe(db)
    assert await probe.look() == ""
    whole = file.with_suffix(".whole")
    shutil.copy(file, whole)
    damage(file)
    probe._check_at = 0.0
    await look_until(probe, "the database file is damaged")
    file.write_bytes(whole.read_bytes())
    await look_until(probe, "")


async def test_a_file_that_is_no_database_is_damaged_and_refused_in_words(db: Database, file: Path) -> None:
    file.write_bytes(os.urandom(file.stat().st_size))
    probe = DatabaseProbe(db)
    assert "the database file is damaged" in await probe.look()
    with pytest.raises(DatabaseDamagedError, match="damaged"):
        await db.read(lambda connection: connection.execute(sa.text("SELECT * FROM rejections")).all())
    with pytest.raises(DatabaseDamagedError, match="damaged"):
        await db.write(lambda connection: connection.execute(sa.text("DELETE FROM rejections")))
    with pytest.raises(DatabaseUnavailableError, match="damaged"):
        await db.fetch(Query(sa.select(sa.column("file")).select_from(sa.table("rejections"))), {})


async def test_a_lock_of_another_process_is_found_and_reads_go_on(
    db: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_LOCK_WAIT_S", 0.0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    probe = DatabaseProbe(db)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    writes = [
        asyncio.create_task(db.write(lambda c: c.execute(sa.text("DELETE FROM rejections"))))
        for _ in range(6)
    ]
    query = sa.text("SELECT count(*) FROM rejections")
    assert await db.read(lambda connection: connection.execute(query).scalar()) == 500
    await look_until(probe, "another process has locked the database")
    for write in writes:
        with pytest.raises(DatabaseLockedError, match="another process has locked the database"):
            await write
    other.execute("ROLLBACK")
    other.close()
    await look_until(probe, "")


async def test_a_lock_of_our_own_is_no_fault(db: Database, file: Path) -> None:
    probe, other = DatabaseProbe(db), sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(4):
        db.committed_at = time.monotonic()  # a transaction of ours ended meanwhile
        assert await probe.look() == ""
    other.execute("ROLLBACK")
    other.close()


async def test_a_file_that_is_gone_or_another_one_is_found(db: Database, file: Path) -> None:
    probe, aside = DatabaseProbe(db), file.with_suffix(".aside")
    assert await probe.look() == ""
    file.rename(aside)
    assert await probe.look() == "the database file is missing"
    shutil.copy(aside, file)
    assert "replaced" in await probe.look()
    file.unlink()
    aside.rename(file)
    assert await probe.look() == ""


class Process:
    """A catalog on a database of its own."""

    def __init__(self, folder: Path) -> None:
        make_service_keys(folder / "keys")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.environment = os.environ | {
            "DATABASE_URL": f"sqlite:///{folder}/p.sqlite3",
            "NATS_URL": "nats://127.0.0.1:1",
            "SERVICE_KEYS_DIR": str(folder / "keys"),
            "SECRET_KEY": "the key that is of this test alone",
            "LISTEN": f"127.0.0.1:{self.port}",
            "DEBUG": "True",
        }
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.catalog", "serve"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    async def ask(self, name: str) -> tuple[bool, str]:
        """Whether a name is serving, and the reason that is given; asks until somebody answers."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            call = stub.Check(
                health_pb2.HealthCheckRequest(service=name), wait_for_ready=True, timeout=LIMIT_S
            )
            answer = await call
            is_serving = answer.status == health_pb2.HealthCheckResponse.SERVING
            return is_serving, read_reason(await call.trailing_metadata())

    async def wait_for(self, words: str) -> str:
        async with asyncio.timeout(LIMIT_S):
            while words not in (reason := (await self.ask(CONDITION))[1]) or bool(words) != bool(reason):
                await asyncio.sleep(0.1)
        return reason


@pytest.fixture
def catalog(file: Path, tmp_path: Path) -> Iterator[Process]:
    whole = file.with_suffix(".whole")
    shutil.copy(file, whole)
    file.write_bytes(os.urandom(file.stat().st_size))
    process = Process(tmp_path)
    yield process
    process.process.terminate()
    process.process.wait(20)


async def test_a_service_whose_database_is_damaged_says_so_waits_and_starts_when_it_is_whole(
    catalog: Process, file: Path
) -> None:
    await catalog.wait_for("the database file is damaged")
    assert (await catalog.ask(""))[0] is False
    assert catalog.process.poll() is None
    log = catalog.log.read_text()
    assert "Traceback" not in log
    assert log.count("database_unusable") <= 2  # the start's and the first look's
    file.write_bytes(file.with_suffix(".whole").read_bytes())
    assert await asyncio.to_thread(catalog.process.wait, LIMIT_S) == 1  # the supervisor starts it again
    catalog.start()
    await catalog.wait_for("")
    assert (await catalog.ask(""))[0] is True
    damage(file)
    await catalog.wait_for("the database file is damaged")
