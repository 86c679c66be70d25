"""RestoreBackup: no volume is destroyed unless the request names it."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import RestoreDestroysVolumesError
from tests.fakes.apps import APP
from tests.unit.backups.platform import PHOTOS, Platform, call_of


async def test_a_restore_that_would_destroy_a_volume_is_refused_unless_that_is_confirmed(
    platform: Platform,
) -> None:
    backup_id = await platform.make_completed()
    platform.containers.unarchived = [PHOTOS]
    with pytest.raises(RestoreDestroysVolumesError, match=r"mp0 \(/srv/photos, 50 GB on tank\)"):
        await platform.restore(backup_id)
    assert (await platform.get(backup_id)).status == "completed"
    assert (platform.apps.locks, platform.is_running) == ({}, True)
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, lose_volumes=["mp1"])
    with pytest.raises(RestoreDestroysVolumesError):
        await platform.api.restore_backup(request, call_of())
    request.lose_volumes.append("mp0")
    await platform.api.restore_backup(request, call_of())
    await platform.run_all()
    assert platform.apps.finished[-1][1:] == (True, "running")


async def test_a_volume_that_comes_after_the_request_is_not_destroyed_either(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await platform.restore(backup_id)
    platform.containers.unarchived = [PHOTOS]
    await platform.run_all()
    assert "would destroy volumes" in (await platform.get(backup_id)).error_message
    assert platform.containers.started == ["vzdump"]
    assert platform.apps.finished[-1][1:] == (False, "")


async def test_the_worker_checks_a_host_that_was_silent_at_the_request(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.lost = {"list_unarchived_volumes"}
    platform.containers.unarchived = [PHOTOS]
    await platform.restore(backup_id)
    await platform.run_all()
    assert "would destroy volumes" in (await platform.get(backup_id)).error_message
