"""CreateBackup: recorded once, the app locked and released, failures cleaned up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.entities import BackupOrder
from services.backups.domain.errors import AppNotBackupableError
from services.backups.domain.interfaces import NewBackup
from services.backups.server import build_workflows
from services.backups.store import SqlBackupStore, operation_queue
from services.backups.store.changes import BACKUP_COMPLETED
from services.backups.store.tables import backups, operations
from services.clients.apps.errors import AppBusyError
from services.clients.apps.values import AppProbe
from services.clients.inventory.archive_values import RunningBackup
from services.common.core.clock import now
from services.common.core.errors import WAIT, BusyError, DeadlineError, DomainError, UnavailableError
from services.common.rpc.status import InternalError
from tests.fakes.apps import APP
from tests.unit.backups.platform import PHOTOS, Platform, call_of


async def test_a_backup_is_made_and_the_app_released(platform: Platform) -> None:
    call = call_of()
    backup_id = await platform.create(call)
    assert ("location", f"/api/apps/{APP.app_id}/backups/{backup_id}") in call.headers
    before = await platform.get(backup_id)
    assert (before.status, before.is_in_progress, before.progress) == ("creating", True, 0)
    assert platform.apps.locks == {APP.app_id: call.request_id}
    standing = await platform.internal.get_holding_operation(
        pb.GetHoldingOperationRequest(operation_id=call.request_id), call_of()
    )
    assert standing.status == "unfinished"
    assert await platform.run_all() == 1
    after = await platform.get(backup_id)
    assert (after.status, after.is_completed, after.size_mb, after.storage_name) == (
        "completed", True, 3.0, "local",
    )  # fmt: skip
    assert after.notes == "before the update"
    assert after.HasField("completed_at")
    assert not after.HasField("progress")
    assert (platform.apps.locks, platform.apps.finished) == ({}, [(call.request_id, True, "")])
    assert [report.progress for report in platform.apps.reports] == [0, 0, 1]
    assert await platform.list_subjects() == [operation_queue.subject, BACKUP_COMPLETED]
    standing = await platform.internal.get_holding_operation(
        pb.GetHoldingOperationRequest(operation_id=call.request_id), call_of()
    )
    assert standing.status == "succeeded"


async def test_what_holds_a_backup_up_is_shown_until_it_goes_on(platform: Platform) -> None:
    backup_id = await platform.create()
    platform.containers.failure["backup_container"] = BusyError(
        "container 9000 is locked (snapshot)", metadata={WAIT: "yes"}
    )
    await platform.run_all()
    held_up = await platform.get(backup_id)
    assert (held_up.status, held_up.waiting_for) == ("creating", "container 9000 is locked (snapshot)")
    report = platform.apps.reports[-1]
    assert (report.step, report.waiting_for) == ("dump", "container 9000 is locked (snapshot)")
    platform.containers.failure.clear()
    await platform.make_due()
    await platform.run_all()
    done = await platform.get(backup_id)
    assert (done.status, done.HasField("waiting_for")) == ("completed", False)
    assert platform.apps.reports[-1].waiting_for == ""


async def test_another_attempt_of_a_backup_is_shown(platform: Platform) -> None:
    await platform.create()
    platform.containers.broken["backup_container"] = 1
    await platform.run_all()
    [report] = [one for one in platform.apps.reports if one.waiting_for]
    assert report.waiting_for == "another attempt after: backup_container did not work"


async def test_a_refused_backup_leaves_nothing(platform: Platform) -> None:
    platform.apps.refusal = AppBusyError("the app is being updated")
    with pytest.raises(AppBusyError, match="being updated"):
        await platform.create()
    assert (await platform.count(backups), await platform.count(operations)) == (0, 0)
    platform.apps.refusal = None
    for status in ("removing", "error"):
        platform.apps.apps[APP.app_id] = replace(APP, status=status)
        with pytest.raises(AppNotBackupableError, match=status):
            await platform.create()
    assert await platform.list_subjects() == []


async def test_a_second_operation_on_the_app_is_refused(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await platform.create()
    with pytest.raises(AppBusyError, match=APP.app_id):
        await platform.create()
    with pytest.raises(AppBusyError, match=APP.app_id):
        await platform.restore(backup_id)
    assert (await platform.get(backup_id)).status == "completed"


async def test_a_repeated_request_makes_one_backup(platform: Platform) -> None:
    call = call_of()
    first = await platform.create(call)
    assert await platform.create(call) == first
    await platform.run_all()
    assert await platform.create(call) == first
    assert (platform.apps.locks, len(platform.containers.archives)) == ({}, 1)


async def test_a_backup_whose_beginner_died_is_taken_up_later(platform: Platform) -> None:
    platform.apps.is_down = True
    with pytest.raises(UnavailableError):
        await platform.create()
    platform.apps.is_down = False
    app = await platform.apps.get_app_hold(APP.app_id, user_id=None)
    early = SqlBackupStore(
        platform.db,
        build_workflows(platform.apps, platform.containers),
        clock=lambda: now() - timedelta(seconds=14),
    )
    await early.add_backup(NewBackup("a" * 32, app, BackupOrder(), 7))
    assert await platform.run_all() == 0
    await platform.make_due()
    assert await platform.run_all() == 1
    listed = (await platform.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of())).message
    assert [backup.status for backup in listed.backups] == ["completed"]


async def test_an_app_whose_lock_is_uncertain_is_released(platform: Platform) -> None:
    platform.apps.is_answer_lost = True
    with pytest.raises(UnavailableError):
        await platform.create()
    assert platform.apps.locks
    await platform.make_due()
    assert await platform.run_all() == 1
    assert (platform.apps.locks, len(platform.containers.archives)) == ({}, 1)


@pytest.mark.parametrize("problem", [DeadlineError("it took too long"), InternalError("internal error")])
async def test_the_release_of_an_app_is_repeated(platform: Platform, problem: DomainError) -> None:
    backup_id = await platform.create()
    platform.apps.failure = problem
    await platform.run_all()
    assert platform.apps.locks
    await platform.make_due()
    await platform.run_all()
    assert platform.apps.locks == {}
    assert (await platform.get(backup_id)).status == "completed"


@pytest.mark.parametrize(("hindrance", "runs", "status"), [((), True, ""), (("vzstart",), False, "error")])
async def test_an_app_that_was_stopped_for_a_failed_archive_runs_again(
    platform: Platform, hindrance: tuple[str, ...], runs: bool, status: str
) -> None:
    platform.containers.failing.update(("vzdump", *hindrance))
    await platform.api.create_backup(pb.CreateBackupRequest(app_id=APP.app_id, backup_type="stop"), call_of())
    await platform.run_all()
    assert platform.is_running is runs
    assert [one[1:] for one in platform.apps.finished] == [(False, status)]


async def test_volumes_that_are_not_in_the_archive_are_named(platform: Platform) -> None:
    platform.containers.unarchived = [PHOTOS]
    backup_id = await platform.make_completed()
    assert list((await platform.get(backup_id)).left_out) == [PHOTOS.description]
    [warning] = [report for report in platform.apps.reports if report.level == "warning"]
    assert PHOTOS.description in warning.message


async def test_an_app_that_was_stopped_for_its_archive_is_probed(platform: Platform) -> None:
    platform.apps.probe = AppProbe(answered=False, port=80, grace_s=0)
    request = pb.CreateBackupRequest(app_id=APP.app_id, backup_type="stop")
    created = await platform.api.create_backup(request, call_of())
    await platform.run_all()
    assert (await platform.get(created.id)).status == "completed"
    assert platform.apps.finished[-1][1:] == (False, "error")


async def test_progress_is_measured_by_the_time_that_the_last_backup_took(platform: Platform) -> None:
    first = await platform.create()
    shown = await platform.get(first)
    assert (shown.determinate, shown.HasField("expected_s"), shown.elapsed_s) == (False, False, 0)
    await platform.run_all()
    assert not (await platform.get(first)).HasField("determinate")
    second = await platform.get(await platform.create())
    assert (second.determinate, second.expected_s >= 1) == (True, True)


async def test_a_backup_waits_for_another_one_on_its_node_and_says_so(platform: Platform) -> None:
    platform.containers.running_backups.append(RunningBackup("pve1", "UPID:1", 105, "root@pam"))
    backup_id = await platform.create()
    await platform.run_all()
    waiting = await platform.get(backup_id)
    assert (waiting.status, waiting.waiting_for) == (
        "creating",
        "another backup on node pve1: root@pam backs up guest 105",
    )
    assert platform.containers.started == []
    platform.containers.running_backups.clear()
    await platform.make_due()
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "completed"


async def test_a_backup_of_its_own_container_or_of_another_node_is_not_waited_for(platform: Platform) -> None:
    platform.containers.running_backups += [
        RunningBackup("pve1", "UPID:1", APP.vmid, "root@pam"),
        RunningBackup("pve2", "UPID:2", 105, "root@pam"),
    ]
    assert (await platform.get(await platform.make_completed())).status == "completed"


async def test_a_node_that_does_not_list_its_backups_holds_nothing_up(platform: Platform) -> None:
    platform.containers.broken["list_running_backups"] = 1
    assert (await platform.get(await platform.make_completed())).status == "completed"
