"""GetHeldBackup: the backup that an operation of apps requested."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import BackupNotFoundError
from tests.fakes.apps import APP
from tests.unit.backups.platform import OWNER, Platform, call_of


async def test_the_backup_of_an_operation_is_found_while_it_exists(platform: Platform) -> None:
    request = pb.GetHeldBackupRequest(operation_id="op1")
    with pytest.raises(BackupNotFoundError, match="op1"):
        await platform.internal.get_held_backup(request, call_of())
    await platform.make_completed()
    platform.apps.locks[APP.app_id] = "op1"
    create = pb.CreateHeldBackupRequest(app_id=APP.app_id, operation_id="op1", requested_by=OWNER.id)
    created = await platform.internal.create_held_backup(create, call_of())
    found = await platform.internal.get_held_backup(request, call_of())
    assert (found.id, found.status) == (created.id, "creating")
    platform.containers.failing.add("vzdump")
    await platform.run_all()
    failed = await platform.internal.get_held_backup(request, call_of())
    assert (failed.id, failed.status, failed.archive) == (created.id, "failed", "")
    assert "vzdump broke" in failed.error
