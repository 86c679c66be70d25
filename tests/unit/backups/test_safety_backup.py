"""RestoreBackup: the backup of the app as it is that is made before."""

from __future__ import annotations

import pytest

from services.clients.inventory.archive_values import NewArchive
from services.clients.inventory.values import Ref, Task
from services.common.core.errors import PreconditionError, UnavailableError
from tests.unit.backups.platform import Platform


async def test_a_backup_of_the_app_as_it_is_is_made_before_it_is_overwritten(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.content = "second"
    platform.containers.started.clear()
    await platform.restore(backup_id, safety_backup=True)
    assert await platform.run_all() == 1
    assert platform.content == "first"
    assert platform.containers.started == ["vzdump", "vzshutdown", "vzrestore", "vzstart"]
    newest, oldest = (await platform.list_backups()).backups
    assert (oldest.id, newest.status, newest.is_completed) == (backup_id, "completed", True)
    assert newest.notes == f"Before the restore of backup {backup_id}"
    assert newest.file_name
    assert [report.step for report in platform.apps.reports if report.step == "safety_backup"]
    await platform.restore(newest.id)
    await platform.run_all()
    assert platform.content == "second", "the way back"


async def test_nothing_is_overwritten_when_the_backup_before_cannot_be_made(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.content = "second"
    platform.containers.failing.add("vzdump")
    platform.containers.reason = "No space left on device"
    await platform.restore(backup_id, safety_backup=True)
    await platform.run_all()
    after = await platform.get(backup_id)
    assert (after.status, platform.content, platform.is_running) == ("completed", "second", True)
    assert "No space left on device" in after.error_message
    assert "safety_backup: false" in after.error_message
    assert platform.apps.finished[-1][1:] == (False, "")
    assert len((await platform.list_backups()).backups) == 1
    assert len(platform.containers.archives) == 1
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.content == "first"


@pytest.mark.parametrize(("silent", "is_over"), [("nas", True), ("local", False)])
async def test_a_failed_backup_before_a_restore_waits_for_no_storage_but_its_own(
    platform: Platform, silent: str, is_over: bool
) -> None:
    backup_id = await platform.make_completed()
    begin = platform.containers.backup_container
    begun: list[str] = []

    async def lose(ref: Ref, *, owner: str, new: NewArchive) -> Task:
        if not begun:
            begun.append(new.backup_id)
            await begin(ref, owner=owner, new=new)
            platform.containers.silent_storages = {silent}
            raise UnavailableError("the answer was lost")
        raise PreconditionError("no storage takes backups")

    platform.containers.backup_container = lose  # type: ignore[method-assign]
    await platform.restore(backup_id, safety_backup=True)
    await platform.run_all()
    assert ((await platform.get(backup_id)).status == "completed") is is_over
    platform.containers.silent_storages = set()
    await platform.make_due()
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "completed"
    assert len(platform.containers.archives) == 1


async def test_a_container_that_is_gone_is_restored_without_a_backup_before(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.containers.clear()
    await platform.restore(backup_id, safety_backup=True)
    await platform.run_all()
    assert platform.content == "first"
    assert len((await platform.list_backups()).backups) == 1
