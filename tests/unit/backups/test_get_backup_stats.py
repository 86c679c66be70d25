"""GetBackupStats: counts and sizes of one app."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.common.core.errors import NotFoundError
from tests.fakes.apps import APP
from tests.unit.backups.platform import OTHER_APP, STRANGER, Platform, call_of


async def test_only_the_backups_of_the_app_are_counted(platform: Platform) -> None:
    await platform.make_completed()
    platform.containers.failing.add("vzdump")
    await platform.make_completed()
    platform.add_app()
    await platform.api.create_backup(pb.CreateBackupRequest(app_id=OTHER_APP.app_id), call_of(STRANGER))
    stats = await platform.get_stats()
    assert (stats.total_backups, stats.completed_backups, stats.failed_backups) == (2, 1, 1)
    assert (stats.in_progress_backups, stats.total_size_gb, stats.average_size_mb) == (0, 0.0, 3.0)


async def test_an_app_without_backups_has_zeros_for_its_owner_only(platform: Platform) -> None:
    assert (await platform.get_stats()).total_backups == 0
    with pytest.raises(NotFoundError, match=APP.app_id):
        await platform.get_stats(STRANGER)
