"""The catalog's replicas and worker with a real NATS server: a source that is registered reaches every replica."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.config import CatalogSettings
from services.catalog.jobs import follow_publications
from services.catalog.server import CatalogParts, build_parts, publish_own_files
from services.common.core.config import ConfigError, read_settings
from services.common.identity.keys import make_service_keys
from services.common.messaging.schedule import SqlSchedules
from services.common.rpc.call import Call
from tests.store.catalog_db import migrate
from tests.store.nats_server import find_free_port, nats  # noqa: F401 - fixtures
from tests.unit.catalog.samples import ITEM

EMPTY = empty_pb2.Empty()


def ask() -> Call:
    return Call("/x", {})


NATIVE = ITEM.replace("id: sample", "id: thing").replace("name: Sample App", "name: Thing")


@asynccontextmanager
async def run_replica(catalog: CatalogParts) -> AsyncIterator[None]:
    """Publish our own files, have the catalog in memory, and follow what is published, until the block ends."""
    await publish_own_files(catalog)
    schedules = SqlSchedules(catalog.runtime.db, catalog.runtime.tables.tables["schedules"])
    async with run_parts(
        catalog,
        catalog.runtime.relay.run(),
        follow_publications(catalog.catalog, catalog.runtime.bus).run(schedules),
    ):
        yield


@asynccontextmanager
async def run_worker(catalog: CatalogParts) -> AsyncIterator[None]:
    """Fetch sources as they are queued, until the block ends."""
    catalog.jobs.start(catalog.runtime.bus)
    async with run_parts(catalog, catalog.runtime.relay.run()):
        yield


@asynccontextmanager
async def run_parts(catalog: CatalogParts, *work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part) for part in work]
    await asyncio.sleep(0)  # what listens must be listening before the bus connects
    catalog.runtime.bus.start()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        await catalog.runtime.bus.close()
        await catalog.runtime.db.close()


@pytest.fixture
def settings(nats: str, tmp_path: Path) -> CatalogSettings:
    for name, text in (("data/sample.yaml", ITEM), ("sources/acme/thing.yaml", NATIVE)):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    make_service_keys(tmp_path / "keys")
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/p.sqlite3", "NATS_URL": nats, "SECRET_KEY": os.urandom(16).hex(),
        "CATALOG_DATA": str(tmp_path / "data"), "CATALOG_SOURCE_ROOTS": str(tmp_path / "sources"),
        "SERVICE_KEYS_DIR": str(tmp_path / "keys"),
    }  # fmt: skip
    return read_settings(CatalogSettings, environment)


def build(settings: CatalogSettings) -> CatalogParts:
    catalog = build_parts(settings)
    with catalog.runtime.db.engine.begin() as connection:
        if not sa.inspect(connection).has_table("revisions"):
            migrate(connection)
    return catalog


async def wait_until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - another process decides when
            await asyncio.sleep(0.02)


async def test_a_registered_source_is_fetched_by_a_worker_and_seen_by_every_replica(
    settings: CatalogSettings,
) -> None:
    first, second, worker = build(settings), build(settings), build(settings)
    async with run_replica(first), run_replica(second), run_worker(worker):
        location = str(settings.source_roots[0] / "acme")
        created = await first.api.create_source(
            pb.CreateSourceRequest(name="acme", location=location, format="native"), ask()
        )
        await wait_until(lambda: all(r.catalog.index.find_item("acme.thing") for r in (first, second)))
        (source,) = (await second.api.list_sources(EMPTY)).sources
        assert (source.status, source.item_count) == ("published", 1)
        (settings.data / "sample.yaml").write_text(ITEM.replace("Sample App", "Renamed"))
        await first.api.reload_catalog(EMPTY)
        await wait_until(lambda: second.catalog.index.get_item("sample").name == "Renamed")
        await second.api.delete_source(pb.DeleteSourceRequest(source_id=created.id))
        await wait_until(lambda: first.catalog.index.find_item("acme.thing") is None)


async def test_a_replica_answers_without_nats(settings: CatalogSettings) -> None:
    lonely = build(dataclasses.replace(settings, nats_url="nats://127.0.0.1:1"))
    async with run_replica(lonely):
        assert (
            await lonely.api.get_item(pb.GetItemRequest(app_id="sample"), ask())
        ).message.name == "Sample App"


def test_every_fault_of_the_settings_is_reported_at_once() -> None:
    environment = {
        "SECRET_KEY": "the key that is of this test alone",
        "CATALOG_DATA": "/nowhere",
        "CATALOG_FETCH_SECONDS": "1",
        "CATALOG_SOURCE_ROOTS": "/a,/b",
    }
    with pytest.raises(ConfigError) as caught:
        read_settings(CatalogSettings, environment)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "CATALOG_DATA", "CATALOG_SOURCE_ROOTS", "CATALOG_FETCH_SECONDS",
    ]  # fmt: skip


async def test_the_worker_process_fetches_and_ends_when_told(
    settings: CatalogSettings, tmp_path: Path
) -> None:
    replica = build(settings)
    make_service_keys(tmp_path / "keys")
    environment = os.environ | {
        "DATABASE_URL": settings.database_url, "NATS_URL": settings.nats_url, "SECRET_KEY": settings.secret_key,
        "CATALOG_SOURCE_ROOTS": str(settings.source_roots[0]), "SERVICE_KEYS_DIR": str(tmp_path / "keys"),
    }  # fmt: skip
    command = [sys.executable, "-m", "services.catalog", "work"]
    async with run_replica(replica):
        process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=subprocess.DEVNULL)
        location = str(settings.source_roots[0] / "acme")
        await replica.api.create_source(
            pb.CreateSourceRequest(name="acme", location=location, format="native"), ask()
        )
        await wait_until(lambda: replica.catalog.index.find_item("acme.thing") is not None)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
