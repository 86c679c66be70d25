"""Archives of backups: recognised without their notes, removed after failures, made once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import BackupNotCompletedError, BackupNotFoundError
from services.backups.store import operation_queue
from services.backups.store.changes import BACKUP_FAILED
from services.clients.inventory.archive_values import Archive, ArchiveListing, NewArchive
from services.clients.inventory.values import Ref, Task, TaskProgress
from services.common.core.errors import DomainError, InvalidError, PreconditionError, UnavailableError
from tests.fakes.apps import APP
from tests.unit.backups.platform import REF, Platform, call_of

THEIRS = Archive("local:backup/vzdump-lxc-9001-theirs.tar.zst", "local", "theirs", 5, "nightly")


def forget_notes(platform: Platform) -> None:
    """Somebody edits the notes of every archive."""
    platform.containers.archives = {
        volume_id: replace(packed, listing=replace(packed.listing, notes="edited"))
        for volume_id, packed in platform.containers.archives.items()
        if packed.listing is not None
    }


async def test_a_backup_is_recognised_by_the_volume_that_its_task_named(platform: Platform) -> None:
    backup_id = await platform.create()
    watch = platform.containers.watch_task

    async def edit_meanwhile(task: object) -> object:
        async for update in watch(task):  # type: ignore[arg-type]
            yield update
            forget_notes(platform)

    platform.containers.watch_task = edit_meanwhile  # type: ignore[assignment,method-assign]
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "completed"
    assert platform.containers.started == ["vzdump"]


@pytest.mark.parametrize("noted", [True, False])
async def test_the_archive_of_a_failed_backup_is_removed_and_nobody_elses(
    platform: Platform, noted: bool
) -> None:
    platform.containers.archives[THEIRS.volume_id] = replace(
        platform.containers.pack(REF.vmid), listing=THEIRS
    )
    platform.containers.archive_size = 0  # the task ends well, and there is nothing in the archive
    if not noted:
        watch = platform.containers.watch_task

        async def edit_meanwhile(task: object) -> object:
            async for update in watch(task):  # type: ignore[arg-type]
                yield update
                forget_notes(platform)

        platform.containers.watch_task = edit_meanwhile  # type: ignore[assignment,method-assign]
    backup_id = await platform.create()
    await platform.run_all()
    failed = await platform.get(backup_id)
    assert (failed.status, "is empty" in failed.error_message) == ("failed", True)
    assert list(platform.containers.archives) == [THEIRS.volume_id]


async def test_an_archive_that_no_storage_lists_is_a_failure_and_is_not_made_again(
    platform: Platform,
) -> None:
    backup_id = await platform.create()
    listed = platform.containers.list_archives

    async def list_nothing(place: object, *, storage: str = "") -> object:
        return ArchiveListing((), (await listed(place)).complete)  # type: ignore[arg-type]

    platform.containers.list_archives = list_nothing  # type: ignore[assignment,method-assign]
    await platform.run_all()
    failed = await platform.get(backup_id)
    assert (failed.status, "is on no storage" in failed.error_message) == ("failed", True)
    assert platform.containers.started == ["vzdump", "imgdel"]
    assert platform.containers.archives == {}


async def test_a_failed_backup_names_the_reason_in_proxmoxs_log(platform: Platform) -> None:
    platform.containers.failing = {"vzdump"}
    platform.containers.reason = (
        "Backup of VM 9001 failed - write error: No space left on device (job errors)"
    )
    backup_id = await platform.create()
    await platform.run_all()
    assert "No space left on device" in (await platform.get(backup_id)).error_message


async def test_a_failed_archive_fails_the_backup_and_releases_the_app(platform: Platform) -> None:
    platform.containers.failing.add("vzdump")
    backup_id = await platform.make_completed()
    failed = await platform.get(backup_id)
    assert failed.status == "failed"
    assert "vzdump broke" in failed.error_message
    assert [(done, status) for _, done, status in platform.apps.finished] == [(False, "")]
    assert await platform.list_subjects() == [operation_queue.subject, BACKUP_FAILED]
    with pytest.raises(BackupNotCompletedError, match="failed"):
        await platform.restore(backup_id)
    await platform.delete(backup_id)
    await platform.run_all()
    with pytest.raises(BackupNotFoundError):
        await platform.get(backup_id)


@pytest.mark.parametrize("storage", ["nas", ""])
async def test_a_refused_archive_fails_the_backup_while_a_storage_is_away(
    platform: Platform, storage: str
) -> None:
    platform.containers.silent_storages = {"nas"}

    async def refuse(*_: object, **__: object) -> object:
        raise InvalidError("node pve1 has no storage 'nas' for backup")

    platform.containers.backup_container = refuse  # type: ignore[assignment,method-assign]
    request = pb.CreateBackupRequest(app_id=APP.app_id, storage=storage)
    backup_id = (await platform.api.create_backup(request, call_of())).id
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "failed"


async def test_a_failed_archive_waits_for_no_storage_but_its_own(platform: Platform) -> None:
    platform.containers.failing.add("vzdump")
    platform.containers.silent_storages = {"tape"}
    backup_id = await platform.make_completed()
    assert (await platform.get(backup_id)).status == "failed"


async def lose_requests(platform: Platform, *silent: str, then: DomainError | None = None) -> int:
    """Make a backup whose requests for an archive have no answer, or another one from the second on.

    Storages are silent from the first request on.
    """
    begin, answers = platform.containers.backup_container, [UnavailableError("the answer was lost")]

    async def lose(ref: Ref, *, owner: str, new: NewArchive) -> Task:
        if answers:
            await begin(ref, owner=owner, new=new)
            platform.containers.silent_storages = set(silent)
        raise answers.pop() if answers else then or UnavailableError("the answer was lost")

    platform.containers.backup_container = lose  # type: ignore[method-assign]
    return await platform.make_completed()


async def test_a_failed_backup_without_a_storage_leaves_no_archive_though_another_storage_is_away(
    platform: Platform,
) -> None:
    """The answer with the task was lost: the storage that was chosen is known all the same."""
    backup_id = await lose_requests(platform, "nas")
    assert (await platform.get(backup_id)).status == "failed"
    assert platform.containers.archives == {}


@pytest.mark.parametrize("then", [None, InvalidError("node pve1 has no storage 'nas' for backup")])
async def test_a_failed_backup_without_a_storage_waits_for_the_one_that_may_have_its_archive(
    platform: Platform, then: DomainError | None
) -> None:
    backup_id = await lose_requests(platform, "local", then=then)
    assert (await platform.get(backup_id)).status == "creating"
    assert len(platform.containers.archives) == 1
    # A second request without an answer went to the other storage, as this one was silent then.
    platform.containers.silent_storages = {"nas"} if then else set()
    await platform.make_due()
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "failed"
    assert platform.containers.archives == {}


async def test_a_backup_that_was_refused_before_any_request_waits_for_no_storage(platform: Platform) -> None:
    """No archive was requested, so that no storage can have one."""
    platform.containers.silent_storages = {"local", "nas"}
    platform.containers.failure["choose_backup_storage"] = PreconditionError("no storage takes backups")
    backup_id = await platform.make_completed()
    assert (await platform.get(backup_id)).status == "failed"


async def test_an_archive_that_is_nowhere_waits_for_no_storage_but_its_own(platform: Platform) -> None:
    platform.containers.silent_storages = {"nas"}
    watch = platform.containers.watch_task

    async def lose_archive(task: Task) -> AsyncIterator[TaskProgress]:
        platform.containers.archives.clear()
        async for update in watch(task):
            yield update

    platform.containers.watch_task = lose_archive  # type: ignore[method-assign]
    backup_id = await platform.create()
    for _ in range(10):
        await platform.run_all()
        await platform.make_due()
    failed = await platform.get(backup_id)
    assert (failed.status, "is on no storage" in failed.error_message) == ("failed", True)


@pytest.mark.parametrize("lost", ["vzdump", "task"])
async def test_a_lost_answer_makes_no_second_archive(platform: Platform, lost: str) -> None:
    platform.containers.lost.add(lost)
    backup_id = await platform.make_completed()
    assert (await platform.get(backup_id)).status == "completed"
    assert platform.containers.started == ["vzdump"]
