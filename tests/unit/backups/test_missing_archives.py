"""Archives that Proxmox pruned, or somebody deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import ArchiveGoneError
from services.backups.usecases.missing_archives import note_missing_archives
from tests.fakes.apps import APP
from tests.unit.backups.platform import Platform, call_of


async def test_an_archive_that_proxmox_pruned_is_noticed_and_one_that_comes_back_too(
    platform: Platform,
) -> None:
    backup_id, other_id = await platform.make_completed(), await platform.make_completed()
    before = dict(platform.containers.archives)
    platform.containers.archives.pop(next(iter(before)))
    platform.containers.complete = False
    assert await note_missing_archives(platform.store, platform.containers) == 0, (
        "a storage that is away may have it"
    )
    platform.containers.complete = True
    assert await note_missing_archives(platform.store, platform.containers) == 1
    missing = await platform.get(backup_id)
    assert (missing.status, missing.is_completed, missing.is_in_progress) == ("missing", False, False)
    assert "Proxmox pruned it" in missing.error_message
    assert (await platform.get(other_id)).status == "completed"
    with pytest.raises(ArchiveGoneError, match="Proxmox pruned it"):
        await platform.restore(backup_id)
    stats = await platform.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of())
    assert (stats.completed_backups, stats.missing_backups) == (1, 1)

    platform.containers.archives = before
    assert await note_missing_archives(platform.store, platform.containers) == 0
    assert (await platform.get(backup_id)).status == "completed"


async def test_a_disabled_storage_is_no_proof_that_its_archives_are_gone(platform: Platform) -> None:
    backup_id, other_id = await platform.make_completed(), await platform.make_completed()
    archives = platform.containers.archives
    before = archives[next(iter(archives))].listing
    assert before is not None
    platform.containers.disabled_storages.add(before.volume_id.partition(":")[0])
    assert await note_missing_archives(platform.store, platform.containers) == 0
    assert {(await platform.get(one)).status for one in (backup_id, other_id)} == {"completed"}


async def test_what_a_backup_server_says_of_archives_is_shown(platform: Platform) -> None:
    backup_id, other_id = await platform.make_completed(), await platform.make_completed()
    archives = platform.containers.archives
    volume_id = next(iter(archives))
    assert not (await platform.get(backup_id)).HasField("verification")
    for verification in ("ok", "failed", ""):
        listing = archives[volume_id].listing
        assert listing is not None
        listing = replace(listing, verification=verification, encrypted=verification != "")
        archives[volume_id] = replace(archives[volume_id], listing=listing)
        await note_missing_archives(platform.store, platform.containers)
        found = await platform.get(backup_id)
        assert (found.verification, found.encrypted) == (verification, verification != "")
        assert (await platform.get(other_id)).verification == ""
