"""FindExportableBackup: the backup whose archive an export of an app names."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import ArchiveGoneError, BackupNotCompletedError, BackupNotFoundError
from services.common.core.errors import NotFoundError, UnavailableError
from tests.fakes.apps import APP
from tests.unit.backups.platform import OTHER_APP, Platform, call_of


async def find(
    platform: Platform, backup_id: int | None = None, app_id: str = APP.app_id
) -> pb.FindExportableBackupResponse:
    request = pb.FindExportableBackupRequest(app_id=app_id, backup_id=backup_id)
    return await platform.internal.find_exportable_backup(request, call_of())


async def test_the_newest_backup_with_an_archive_is_found_with_its_facts(platform: Platform) -> None:
    await platform.add_policy()
    assert not (await find(platform)).HasField("backup")
    first, second = await platform.make_completed(), await platform.make_completed()
    found = await find(platform)
    assert list(found.policies) == ["nightly"]
    backup = await platform.get(second)
    one = found.backup
    assert (one.id, one.file_name, one.storage) == (second, backup.file_name, backup.storage_name)
    assert one.volume_id in platform.containers.archives
    assert (one.size, one.protected, one.seen) == (platform.containers.archive_size, False, True)
    assert (one.vmid, one.host_id, one.restore_test) == (APP.vmid, APP.host_id, "untested")
    assert one.made_by
    assert (await find(platform, first)).backup.id == first


async def test_a_backup_whose_archive_is_gone_gives_way_to_an_older_one(platform: Platform) -> None:
    first, second = await platform.make_completed(), await platform.make_completed()
    del platform.containers.archives[(await find(platform, second)).backup.volume_id]
    assert (await find(platform)).backup.id == first
    with pytest.raises(ArchiveGoneError, match=f"backup {second} cannot be exported"):
        await find(platform, second)


async def test_while_a_host_is_silent_no_archive_is_missing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await platform.make_completed()
    platform.containers.archives.clear()
    platform.containers.complete = False
    assert ((await find(platform)).backup.id, (await find(platform)).backup.seen) == (made, False)

    async def refuse(_: object, *, storage: str = "") -> None:
        raise UnavailableError("pve does not answer")

    monkeypatch.setattr(platform.containers, "list_archives", refuse)
    assert (await find(platform, made)).backup.id == made


async def test_backups_of_others_and_unfinished_ones_are_refused(platform: Platform) -> None:
    platform.add_app()
    made = await platform.make_completed()
    with pytest.raises(BackupNotFoundError):
        await find(platform, made, OTHER_APP.app_id)
    with pytest.raises(NotFoundError):
        await find(platform, app_id="none-00000000")
    begun = await platform.create()
    with pytest.raises(BackupNotCompletedError, match="is creating"):
        await find(platform, begun)
    assert (await find(platform)).backup.id == made
