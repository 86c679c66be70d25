"""UpdateBackup: protection and notes of the archive and of the backup."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import BackupInUseError, BackupProtectedError
from tests.fakes.apps import APP
from tests.unit.backups.platform import Platform, call_of


async def test_protection_and_notes_reach_the_archive_and_protect(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    request = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, protected=True, notes="keep")
    changed = await platform.api.update_backup(request, call_of())
    assert (changed.protected, changed.notes) == (True, "keep")
    assert list(platform.containers.protection.values()) == [True]
    with pytest.raises(BackupProtectedError, match=str(backup_id)):
        await platform.delete(backup_id)
    request = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, protected=False)
    assert (await platform.api.update_backup(request, call_of())).notes == "keep"
    assert (await platform.delete(backup_id)).status == "deleting"


async def test_a_backup_in_use_is_not_changed(platform: Platform) -> None:
    backup_id = await platform.create()
    with pytest.raises(BackupInUseError, match="creating"):
        await platform.protect(backup_id)
    assert not (await platform.get(backup_id)).protected
