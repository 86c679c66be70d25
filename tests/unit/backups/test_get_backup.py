"""GetBackup: for its owner and administrators."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.common.core.errors import NotFoundError
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, STRANGER, Platform, call_of


async def test_nobody_sees_or_changes_the_backups_of_another(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    for attempt in (
        platform.get(backup_id, STRANGER),
        platform.delete(backup_id, STRANGER),
        platform.restore(backup_id, call_of(STRANGER)),
        platform.create(call_of(STRANGER)),
        platform.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of(STRANGER)),
        platform.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of(STRANGER)),
        platform.api.update_backup(
            pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, notes="x"), call_of(STRANGER)
        ),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert (await platform.get(backup_id, ADMIN)).status == "completed"
