"""Backups are restored, over their app and beside it, and what becomes of both when that fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import (
    AppBusyError,
    BackupInUseError,
)
from services.backups.store.changes import APP_RESTORED
from services.backups.tables import operations
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from tests.store.backups_db import db, migrated_file, migrated_url
from tests.store.backups_world import World, build, call_of, world
from tests.unit.backups.fakes import APP

__all__ = ["build", "db", "migrated_file", "migrated_url", "world"]


async def test_a_restore_stops_overwrites_and_starts_again(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.content = "second"
    answer = await world.restore(backup_id)
    assert (answer.status, answer.application_id) == ("restoring", APP.app_id)
    assert (await world.get(backup_id)).status == "restoring"
    with pytest.raises(BackupInUseError, match="restoring"):
        await world.delete(backup_id)
    assert await world.run_all() == 1
    assert (world.containers.content, world.containers.running) == ("first", True)
    assert world.containers.started == ["vzdump", "vzstop", "vzrestore", "vzstart"]
    assert (await world.get(backup_id)).status == "completed"
    assert world.apps.finished[-1][1:] == (True, "running")
    assert (await world.list_subjects())[-1] == APP_RESTORED


async def test_a_stopped_app_stays_stopped_when_it_is_restored(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.running = False
    await world.restore(backup_id)
    await world.run_all()
    assert world.containers.started == ["vzdump", "vzrestore"]
    assert world.apps.finished[-1][1:] == (True, "stopped")


async def test_a_lost_answer_of_stopping_still_starts_the_app_afterwards(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.lost.add("vzstop")
    await world.restore(backup_id)
    await world.run_all()
    assert world.containers.running
    assert world.apps.finished[-1][1:] == (True, "running")


async def test_an_app_that_was_not_overwritten_runs_again_after_a_failed_restore(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.failing.add("vzrestore")
    await world.restore(backup_id)
    await world.run_all()
    after = await world.get(backup_id)
    assert after.status == "completed"
    assert "vzrestore broke" in after.error_message
    assert world.containers.running
    assert world.apps.finished[-1][1:] == (False, "")


async def test_an_app_that_does_not_start_after_a_failed_restore_is_in_error(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.failing |= {"vzrestore", "vzstart"}
    await world.restore(backup_id)
    await world.run_all()
    assert world.apps.finished[-1][1:] == (False, "error")


async def test_a_refused_restore_leaves_the_backup_as_it_was(world: World) -> None:
    backup_id = await world.make_completed()
    world.apps.refusal = AppBusyError("the app is being updated")
    with pytest.raises(AppBusyError, match="being updated"):
        await world.restore(backup_id)
    assert (await world.get(backup_id)).status == "completed"
    assert await world.run_all() == 0


async def test_a_restore_beside_is_left_to_apps(world: World) -> None:
    backup_id = await world.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02")
    answer = await world.api.restore_backup(request, call_of())
    assert answer.application_id == "web-99999999"
    assert world.apps.beside[0].archive in world.containers.archives
    operation_id = world.apps.beside[0].operation_id
    for _ in range(2):  # while apps reads the archive it is neither deleted nor restored
        assert (await world.get(backup_id)).status == "restoring"
        with pytest.raises(BackupInUseError):
            await world.delete(backup_id)
        with pytest.raises(BackupInUseError):
            await world.api.restore_backup(request, call_of())
        assert await world.run_all() == 1
        await world.make_due()
    world.apps.standings[operation_id] = "failed"
    assert await world.run_all() == 1
    assert (await world.get(backup_id)).status == "completed"
    assert APP_RESTORED not in await world.list_subjects()


async def test_a_restore_beside_that_apps_refuses_or_never_heard_of_leaves_the_backup(world: World) -> None:
    backup_id = await world.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02")
    world.apps.refusal = AppBusyError("the hostname is taken")
    with pytest.raises(AppBusyError):
        await world.api.restore_backup(request, call_of())
    assert (await world.get(backup_id)).status == "completed"
    world.apps.refusal = UnavailableError("apps does not answer")
    with pytest.raises(UnavailableError):
        await world.api.restore_backup(request, call_of())
    await world.make_due()
    await world.run_all()
    assert (await world.get(backup_id)).status == "restoring", "the request may still reach apps"
    long_ago = operations.update().values(created_at=now() - timedelta(minutes=2))
    await world.db.write(lambda connection: connection.execute(long_ago))
    await world.make_due()
    await world.run_all()
    assert (await world.get(backup_id)).status == "completed"


async def test_a_restore_that_loses_the_container_is_tried_again_and_says_so(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.failing.add("vzrestore")
    world.containers.fragile = True
    await world.restore(backup_id)
    await world.run_all()
    assert world.containers.started.count("vzrestore") == 3
    assert world.apps.finished[-1][1:] == (False, "error")
    assert "vzrestore broke. The container is gone" in world.apps.messages[-1]
    world.containers.failing.clear()
    world.containers.wreck = True
    await world.restore(backup_id)
    await world.run_all()
    assert (world.containers.there, world.containers.content) == (True, "first")
    assert world.apps.finished[-1][1:] == (True, "stopped")


async def test_nothing_is_given_up_for_an_archive_that_is_gone(world: World) -> None:
    backup_id = await world.make_completed()
    kept, world.containers.archives = world.containers.archives, {}
    world.containers.complete = False
    await world.restore(backup_id)
    await world.run_all()
    assert (await world.get(backup_id)).status == "restoring", "a storage that is away may have it"
    world.containers.complete = True
    await world.make_due()
    await world.run_all()
    missing = await world.get(backup_id)
    assert (missing.status, missing.is_completed) == ("missing", False)
    assert "is gone from its storage: Proxmox pruned it" in missing.error_message
    assert "the app is as it was" in world.apps.messages[-1]
    assert (world.containers.running, world.containers.started, len(kept)) == (True, ["vzdump"], 1)
    assert world.apps.finished[-1][1:] == (False, "")
