"""GetBackupStatistics: totals by app, policy and storage, and the day on which a storage is full."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from google.protobuf import empty_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.statistics import StorageSample, forecast_storage
from services.backups.usecases.scheduled_backups import start_due_backups
from services.common.core.clock import now
from services.common.identity.tokens import User
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OWNER, STRANGER, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, find_slot


def sample(day: date, used: int, *, total: int = 1000) -> StorageSample:
    return StorageSample(host_id=1, storage="local", node="", day=day, used=used, total=total)


async def read(platform: Platform, user: User = ADMIN) -> pb.BackupStatistics:
    return await platform.api.get_backup_statistics(empty_pb2.Empty(), call_of(user))


async def test_backups_are_counted_by_app_policy_and_storage(platform: Platform) -> None:
    await platform.make_completed()
    policy = await platform.add_policy()
    await age_policies(platform)
    await start_due_backups(platform.dependencies, now=find_slot(policy))
    await platform.run_all()
    platform.containers.failing.add("vzdump")
    await platform.create()
    await platform.run_all()
    found = await read(platform)
    assert (found.all.completed, found.all.failed, found.all.total_size) == (2, 1, 6 << 20)
    assert found.all.average_size == 3 << 20
    [app] = found.apps
    assert (app.app_id, app.app_name, app.totals) == (APP.app_id, "web", found.all)
    [one] = found.policies
    assert (one.policy_id, one.name, one.totals.completed) == (policy.id, "nightly", 1)
    [storage] = found.storages
    assert (storage.host_id, storage.storage, storage.totals.completed) == (1, "local", 2)
    assert not storage.HasField("used")


async def test_users_see_their_own_numbers(platform: Platform) -> None:
    await platform.make_completed()
    assert (await read(platform, OWNER)).all.completed == 1
    found = await read(platform, STRANGER)
    assert (found.all.completed, list(found.apps), list(found.storages)) == (0, [], [])


async def test_a_storage_is_shown_with_its_growth(platform: Platform) -> None:
    today = now().date()
    samples = [sample(today - timedelta(days=10 - number), 100 + 10 * number) for number in range(11)]
    await platform.dependencies.storages.note_samples(samples)
    [storage] = (await read(platform)).storages
    assert (storage.used, storage.total, storage.growth_per_day) == (200, 1000, 10)
    assert storage.full_on == (today + timedelta(days=80)).isoformat()


@pytest.mark.parametrize(
    ("used", "growth", "days"),
    [
        ([100, 110], None, None),
        ([100, 110, 120, 130], 10, 87),
        ([130, 120, 110, 100], -10, None),
        ([100, 100, 100, 100], 0, None),
        ([990, 995, 1000, 1005], 5, 0),
    ],
)
def test_a_forecast_is_a_straight_line(used: list[int], growth: float | None, days: int | None) -> None:
    first = date(2026, 11, 1)
    samples = [sample(first + timedelta(days=number), value) for number, value in enumerate(used)]
    found = forecast_storage(samples)
    assert found.growth_per_day == (None if growth is None else pytest.approx(growth))
    assert found.full_on == (None if days is None else samples[-1].day + timedelta(days=days))


def test_a_storage_that_grows_hardly_is_never_full() -> None:
    first = date(2026, 11, 1)
    samples = [sample(first + timedelta(days=number), number, total=10**12) for number in range(9)]
    assert forecast_storage(samples).full_on is None
