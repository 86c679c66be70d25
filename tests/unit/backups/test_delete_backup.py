"""DeleteBackup: the archive first, never a protected one or one in use."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import BackupInUseError, BackupNotFoundError, BackupProtectedError
from services.backups.store.tables import backups
from tests.fakes.apps import APP, FakeAppMissingError
from tests.unit.backups.platform import STRANGER, Platform, call_of


async def test_a_deleted_backup_goes_with_its_archive(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await platform.delete(backup_id)
    with pytest.raises(BackupInUseError, match="deleting"):
        await platform.delete(backup_id)
    assert await platform.run_all() == 1
    assert (platform.containers.archives, await platform.count(backups)) == ({}, 0)


async def test_a_backup_whose_archive_cannot_be_deleted_stays(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.failing.add("imgdel")
    await platform.delete(backup_id)
    await platform.run_all()
    kept = await platform.get(backup_id)
    assert kept.status == "completed"
    assert "imgdel broke" in kept.error_message


async def test_the_backup_of_a_removed_app_is_protected_and_deleted(platform: Platform) -> None:
    made = await platform.make_completed()
    await platform.remove_app()
    await platform.protect(made)
    with pytest.raises(BackupProtectedError):
        await platform.delete(made)
    await platform.protect(made, protected=False)
    await platform.delete(made)
    await platform.run_all()
    assert (await platform.list_all(), len(platform.containers.archives)) == ([], 0)
    with pytest.raises(FakeAppMissingError):  # nothing is left that could be listed
        await platform.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of())


async def test_a_backup_is_deleted_by_its_owner_only(platform: Platform) -> None:
    backup_id, other_id = await platform.make_completed(), await platform.make_completed()
    with pytest.raises(BackupNotFoundError):
        await platform.delete(backup_id, STRANGER)
    await platform.delete(backup_id)
    await platform.run_all()
    assert await platform.list_all() == [other_id]
