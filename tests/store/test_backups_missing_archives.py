"""Archives that Proxmox pruned are noticed."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.archive_presence import note_missing_archives
from services.backups.domain.errors import ArchiveGoneError
from services.common.core.errors import PreconditionError
from tests.store.backups_world import World, build, call_of, db, migrated_file, migrated_url, world
from tests.unit.backups.fakes import APP

__all__ = ["build", "db", "migrated_file", "migrated_url", "world"]


async def test_an_archive_that_proxmox_pruned_is_noticed_and_one_that_comes_back_too(world: World) -> None:
    backup_id, other_id = await world.make_completed(), await world.make_completed()
    before = dict(world.containers.archives)
    world.containers.archives.pop(next(iter(before)))
    world.containers.complete = False
    assert await note_missing_archives(world.store, world.containers) == 0, (
        "a storage that is away may have it"
    )
    world.containers.complete = True
    assert await note_missing_archives(world.store, world.containers) == 1
    missing = await world.get(backup_id)
    assert (missing.status, missing.is_completed, missing.is_in_progress) == ("missing", False, False)
    assert "Proxmox pruned it" in missing.error_message
    assert (await world.get(other_id)).status == "completed"
    with pytest.raises(ArchiveGoneError, match="Proxmox pruned it"):
        await world.restore(backup_id)
    stats = await world.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of())
    assert (stats.completed_backups, stats.missing_backups) == (1, 1)

    world.containers.archives = before
    assert await note_missing_archives(world.store, world.containers) == 0
    assert (await world.get(backup_id)).status == "completed"


async def test_a_request_to_restore_a_pruned_archive_is_refused_and_marks_the_backup(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.archives.clear()
    with pytest.raises(PreconditionError, match="Proxmox pruned it"):
        await world.restore(backup_id)
    assert (await world.get(backup_id)).status == "missing"
    assert (world.apps.held, world.containers.running) == ({}, True)
    await world.delete(backup_id)
    await world.run_all()
    assert await world.list_subjects() != []
