"""Backups as apps sees them: the fake and the real service behave the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.clients.backups.client import GrpcBackups
from services.clients.backups.interface import Backups
from services.clients.backups.lookup import find_held_backup
from services.clients.backups.values import AppBackupCount, HeldBackup, OverdueRun
from services.clients.inventory.values import Ref
from services.common.core.clock import now
from services.common.core.errors import NotFoundError
from services.common.db.database import Database, create_engine
from services.common.rpc.client import Clients
from tests.contract.clients.wire import serve
from tests.databases import copy_sqlite
from tests.fakes.apps import APP
from tests.fakes.backups import FakeBackups
from tests.fakes.containers import FakeContainers
from tests.unit.backups.platform import Platform, build_platform
from tests.unit.backups.policy_clock import age_policies

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["BackupsInternalService"]
OPERATION = "a" * 32


@dataclass
class Backend:
    """A client for the app `APP`, which the operation `OPERATION` has locked.

    Attributes:
        work: lets the service go on until nothing is left to do.
        break_archives: has every further archive fail for "no space left".
        count: prepares what the app's backups count as: one, which is completed.
        fall_behind: has a policy `nightly` whose backup of the app is overdue.
    """

    backups: Backups
    work: Callable[[], Awaitable[object]]
    break_archives: Callable[[], None]
    count: Callable[[], None]
    fall_behind: Callable[[], Awaitable[object]]

    async def create(self) -> HeldBackup:
        """Request the backup of the operation."""
        return await self.backups.create_held_backup(APP.app_id, OPERATION, notes="before", requested_by=7)


def make_fake() -> Backend:
    containers = FakeContainers()
    containers.add_container(Ref(APP.host_id, APP.vmid, APP.node), owner=APP.app_id, status="running")
    fake = FakeBackups(containers)

    async def work() -> None:
        await fake.create_held_backup(APP.app_id, OPERATION, notes="before", requested_by=7)

    def count() -> None:
        fake.counts[APP.app_id] = AppBackupCount(1, 0, 1)

    async def fall_behind() -> None:
        fake.overdue = [OverdueRun(APP.app_id, "nightly", now() - timedelta(hours=13))]

    return Backend(fake, work, lambda: setattr(fake, "error", "no space left"), count, fall_behind)


def make_real(platform: Platform, clients: Clients) -> Backend:
    platform.apps.locks[APP.app_id] = OPERATION

    def break_archives() -> None:
        platform.containers.failing.add("vzdump")
        platform.containers.reason = "no space left"

    async def work() -> None:
        await platform.run_all()
        platform.apps.locks[APP.app_id] = OPERATION  # to apps itself the end of a backup changes nothing

    async def fall_behind() -> None:
        await platform.add_policy()
        await age_policies(platform)

    return Backend(GrpcBackups(clients), work, break_archives, lambda: None, fall_behind)


@pytest.fixture(params=["fake", "real"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param == "fake":
        yield make_fake()
        return
    db = Database(create_engine(copy_sqlite("backups", tmp_path), service="backups"))
    platform = build_platform(db)
    async with serve(tmp_path / "wire", DESCRIPTOR, platform.internal, callers=["apps"]) as clients:
        yield make_real(platform, clients["apps"])
    await db.close()


async def test_a_backup_is_made_once_and_ends_with_its_archive(backend: Backend) -> None:
    first = await backend.create()
    assert (first.status, first.archive, first.error) == ("creating", "", "")
    assert await backend.backups.get_held_backup(OPERATION) == first
    await backend.work()
    ended = await backend.backups.get_held_backup(OPERATION)
    assert (ended.id, ended.status, ended.error) == (first.id, "completed", "")
    assert "vzdump" in ended.archive
    assert (await backend.create()).id == first.id


async def test_a_backup_that_fails_says_why(backend: Backend) -> None:
    backend.break_archives()
    first = await backend.create()
    await backend.work()
    ended = await backend.backups.get_held_backup(OPERATION)
    assert (ended.id, ended.status) == (first.id, "failed")
    assert "no space left" in ended.error


async def test_an_operation_without_a_backup_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFoundError, match=OPERATION):
        await backend.backups.get_held_backup(OPERATION)
    assert await find_held_backup(backend.backups, OPERATION) is None
    assert await backend.backups.get_holding_operation("b" * 32) == "unknown"
    assert await backend.backups.cancel_holding_operation("b" * 32) == "unknown"


async def test_backups_are_counted_by_app(backend: Backend) -> None:
    await backend.create()
    await backend.work()
    backend.count()
    counts = await backend.backups.count_backups([APP.app_id, "none-00000000"], operation_ids=[OPERATION])
    assert list(counts) == [APP.app_id]
    found = counts[APP.app_id]
    assert (found.total, found.protected, found.completed) == (1, 0, 1)
    assert found.restorable == {OPERATION}
    assert await backend.backups.count_backups([]) == {}


async def test_the_backup_of_an_export_is_the_newest_one(backend: Backend) -> None:
    assert (await backend.backups.find_exportable_backup(APP.app_id)).archive is None
    made = await backend.create()
    await backend.work()
    found = (await backend.backups.find_exportable_backup(APP.app_id)).archive
    assert found is not None
    assert found == (await backend.backups.find_exportable_backup(APP.app_id, backup_id=made.id)).archive
    assert (found.id, found.vmid, found.seen, found.left_out) == (made.id, APP.vmid, True, ())
    assert found.volume_id.endswith(found.file_name)
    with pytest.raises(NotFoundError):
        await backend.backups.find_exportable_backup(APP.app_id, backup_id=made.id + 1)


async def test_overdue_backups_are_listed_with_their_policy(backend: Backend) -> None:
    assert list(await backend.backups.list_overdue_backups()) == []
    await backend.fall_behind()
    [overdue] = await backend.backups.list_overdue_backups()
    assert (overdue.app_id, overdue.policy_name) == (APP.app_id, "nightly")
    assert timedelta(hours=12) <= now() - overdue.since <= timedelta(hours=37)
