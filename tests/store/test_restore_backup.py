"""RestoreBackup: no volume is destroyed unasked, and the app answers when it is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.entities import AppProbe, UnarchivedVolume
from services.backups.domain.errors import RestoreDestroysVolumesError
from tests.store.backups_world import World, build, call_of, db, migrated_file, migrated_url, world
from tests.unit.backups.fakes import APP

__all__ = ["build", "db", "migrated_file", "migrated_url", "world"]

PHOTOS = UnarchivedVolume("mp0", "mp0 (/srv/photos, 50 GB on tank)")


async def test_a_restore_that_would_destroy_a_volume_is_refused_unless_that_is_confirmed(
    world: World,
) -> None:
    backup_id = await world.make_completed()
    world.containers.unarchived = [PHOTOS]
    with pytest.raises(RestoreDestroysVolumesError, match=r"mp0 \(/srv/photos, 50 GB on tank\)"):
        await world.restore(backup_id)
    assert (await world.get(backup_id)).status == "completed"
    assert (world.apps.held, world.containers.running) == ({}, True)
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, lose_volumes=["mp1"])
    with pytest.raises(RestoreDestroysVolumesError):
        await world.api.restore_backup(request, call_of())
    request.lose_volumes.append("mp0")
    await world.api.restore_backup(request, call_of())
    await world.run_all()
    assert world.apps.finished[-1][1:] == (True, "running")


async def test_a_volume_that_comes_after_the_request_is_not_destroyed_either(world: World) -> None:
    backup_id = await world.make_completed()
    await world.restore(backup_id)
    world.containers.unarchived = [PHOTOS]
    await world.run_all()
    assert "would destroy volumes" in (await world.get(backup_id)).error_message
    assert world.containers.started == ["vzdump"]
    assert world.apps.finished[-1][1:] == (False, "")


async def test_a_host_that_is_silent_at_the_request_is_asked_by_the_worker(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.lost = {"volumes"}
    world.containers.unarchived = [PHOTOS]
    await world.restore(backup_id)
    await world.run_all()
    assert "would destroy volumes" in (await world.get(backup_id)).error_message


async def test_a_restored_app_is_asked_and_one_that_does_not_answer_is_in_error(world: World) -> None:
    backup_id = await world.make_completed()
    await world.restore(backup_id)
    await world.run_all()
    assert world.apps.probed == [APP.app_id]
    steps = list(dict.fromkeys(report.step for report in world.apps.reports if report.step != "dump"))
    assert steps == [
        "claim_app",
        "stop_container",
        "restore_archive",
        "start_container",
        "probe",
    ]
    world.apps.probe = AppProbe(answered=False, port=80, grace_s=0, message="connection refused")
    await world.restore(backup_id)
    await world.run_all()
    assert world.apps.finished[-1][1:] == (False, "error")
    assert "port 80 does not answer after 0 s: connection refused" in world.apps.messages[-1]


async def test_a_restore_tells_inventory_the_storage_that_the_app_was_given(world: World) -> None:
    world.apps.apps[APP.app_id] = replace(APP, storage="btr")
    backup_id = await world.make_completed()
    await world.restore(backup_id)
    await world.run_all()
    assert world.containers.restored_to == ["btr"]
