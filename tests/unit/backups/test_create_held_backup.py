"""CreateHeldBackup: for the operation of apps that has locked the app."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import AppNotHeldError, BackupNotFoundError
from tests.fakes.apps import APP
from tests.unit.backups.platform import OWNER, Platform, call_of


async def test_a_backup_is_made_for_the_operation_that_has_locked_the_app(platform: Platform) -> None:
    request = pb.CreateHeldBackupRequest(
        app_id=APP.app_id, operation_id="op1", notes="before", requested_by=OWNER.id
    )
    with pytest.raises(AppNotHeldError, match="locked by no operation, not by op1"):
        await platform.internal.create_held_backup(request, call_of())
    platform.apps.locks[APP.app_id] = "op1"
    first = await platform.internal.create_held_backup(request, call_of())
    assert (first.status, first.archive) == ("creating", "")
    assert await platform.run_all() == 1
    platform.apps.locks[APP.app_id] = "op1"  # to apps itself the backup's end changes nothing
    again = await platform.internal.create_held_backup(request, call_of())
    assert (again.id, again.status, again.error) == (first.id, "completed", "")
    assert again.archive in platform.containers.archives
    found = pb.GetHeldBackupRequest(operation_id="op1")
    assert await platform.internal.get_held_backup(found, call_of()) == again
    assert (await platform.get(first.id)).notes == "before"
    await platform.delete(first.id)
    await platform.run_all()
    with pytest.raises(BackupNotFoundError, match="op1"):
        await platform.internal.get_held_backup(found, call_of())
