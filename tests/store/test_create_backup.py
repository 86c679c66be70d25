"""CreateBackup: archives recognised without their notes, removed after failures, and what they leave out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.entities import AppProbe, Archive, UnarchivedVolume
from tests.store.backups_world import World, build, call_of, db, migrated_file, migrated_url, world
from tests.unit.backups.fakes import APP

__all__ = ["build", "db", "migrated_file", "migrated_url", "world"]

PHOTOS = UnarchivedVolume("mp0", "mp0 (/srv/photos, 50 GB on tank)")
THEIRS = Archive("local:backup/vzdump-lxc-9001-theirs.tar.zst", "local", "theirs", 5, "nightly")


def forget_notes(world: World) -> None:
    """Somebody edits the notes of every archive."""
    world.containers.archives = {
        volume_id: (replace(archive, notes="edited"), content)
        for volume_id, (archive, content) in world.containers.archives.items()
    }


async def test_a_backup_is_recognised_by_the_volume_that_its_task_named(world: World) -> None:
    backup_id = await world.create()
    watch = world.containers.watch_task

    async def edit_meanwhile(task: object) -> object:
        async for update in watch(task):  # type: ignore[arg-type]
            yield update
            forget_notes(world)

    world.containers.watch_task = edit_meanwhile  # type: ignore[assignment,method-assign]
    await world.run_all()
    assert (await world.get(backup_id)).status == "completed"
    assert world.containers.started == ["vzdump"]


@pytest.mark.parametrize("noted", [True, False])
async def test_the_archive_of_a_failed_backup_is_removed_and_nobody_elses(world: World, noted: bool) -> None:
    world.containers.archives[THEIRS.volume_id] = (THEIRS, "theirs")
    world.containers.size = 0  # the task ends well, and there is nothing in the archive
    if not noted:
        watch = world.containers.watch_task

        async def edit_meanwhile(task: object) -> object:
            async for update in watch(task):  # type: ignore[arg-type]
                yield update
                forget_notes(world)

        world.containers.watch_task = edit_meanwhile  # type: ignore[assignment,method-assign]
    backup_id = await world.create()
    await world.run_all()
    failed = await world.get(backup_id)
    assert (failed.status, "is empty" in failed.error_message) == ("failed", True)
    assert list(world.containers.archives) == [THEIRS.volume_id]


async def test_an_archive_that_no_storage_lists_is_a_failure_and_is_not_made_again(world: World) -> None:
    backup_id = await world.create()
    listed = world.containers.list_archives

    async def list_nothing(place: object) -> object:
        return [], (await listed(place))[1]  # type: ignore[arg-type]

    world.containers.list_archives = list_nothing  # type: ignore[assignment,method-assign]
    await world.run_all()
    failed = await world.get(backup_id)
    assert (failed.status, "is on no storage" in failed.error_message) == ("failed", True)
    assert world.containers.started == ["vzdump", "imgdel"]
    assert world.containers.archives == {}


async def test_a_failed_backup_says_what_proxmox_logged(world: World) -> None:
    world.containers.failing = {"vzdump"}
    world.containers.reason = "Backup of VM 9001 failed - write error: No space left on device (job errors)"
    backup_id = await world.create()
    await world.run_all()
    assert "No space left on device" in (await world.get(backup_id)).error_message


async def test_volumes_that_are_not_in_the_archive_are_said_when_it_is_made(world: World) -> None:
    world.containers.unarchived = [PHOTOS]
    backup_id = await world.make_completed()
    assert list((await world.get(backup_id)).left_out) == [PHOTOS.description]
    [warning] = [report for report in world.apps.reports if report.level == "warning"]
    assert PHOTOS.description in warning.message


async def test_an_app_that_was_stopped_for_its_archive_is_asked_too(world: World) -> None:
    world.apps.probe = AppProbe(answered=False, port=80, grace_s=0)
    request = pb.CreateBackupRequest(app_id=APP.app_id, backup_type="stop")
    created = await world.api.create_backup(request, call_of())
    await world.run_all()
    assert (await world.get(created.id)).status == "completed"
    assert world.apps.finished[-1][1:] == (False, "error")


async def test_progress_is_measured_by_the_time_that_the_last_backup_took(world: World) -> None:
    first = await world.create()
    shown = await world.get(first)
    assert (shown.determinate, shown.HasField("expected_s"), shown.elapsed_s) == (False, False, 0)
    await world.run_all()
    assert not (await world.get(first)).HasField("determinate")
    second = await world.get(await world.create())
    assert (second.determinate, second.expected_s >= 1) == (True, True)
