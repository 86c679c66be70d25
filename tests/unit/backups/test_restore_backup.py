"""RestoreBackup: over the app and beside it, and the state of both after a failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.backups.domain.errors import BackupInUseError
from services.backups.store.changes import APP_RESTORED
from services.clients.apps.errors import AppBusyError
from services.clients.apps.values import AppProbe
from services.common.core.errors import WAIT, BusyError, PreconditionError
from tests.fakes.apps import APP
from tests.unit.backups.platform import REF, Platform


async def test_a_restore_stops_overwrites_and_starts_again(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.content = "second"
    answer = await platform.restore(backup_id)
    assert (answer.status, answer.application_id) == ("restoring", APP.app_id)
    assert (await platform.get(backup_id)).status == "restoring"
    with pytest.raises(BackupInUseError, match="restoring"):
        await platform.delete(backup_id)
    assert await platform.run_all() == 1
    assert (platform.content, platform.is_running) == ("first", True)
    assert platform.containers.started == ["vzdump", "vzshutdown", "vzrestore", "vzstart"]
    assert (await platform.get(backup_id)).status == "completed"
    assert platform.apps.finished[-1][1:] == (True, "running")
    assert (await platform.list_subjects())[-1] == APP_RESTORED


async def test_what_holds_a_restore_up_is_shown_to_the_users_of_its_app(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await platform.restore(backup_id)
    platform.containers.failure["stop_container"] = BusyError(
        "container 9000 is locked (backup)", metadata={WAIT: "yes"}
    )
    await platform.run_all()
    report = platform.apps.reports[-1]
    assert (report.step, report.waiting_for) == ("stop_container", "container 9000 is locked (backup)")
    platform.containers.failure.clear()
    await platform.make_due()
    await platform.run_all()
    assert platform.apps.finished[-1][1:] == (True, "running")


async def test_a_stopped_app_stays_stopped_when_it_is_restored(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.stop(REF)
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.containers.started == ["vzdump", "vzrestore"]
    assert platform.apps.finished[-1][1:] == (True, "stopped")


async def test_a_lost_answer_of_stopping_still_starts_the_app_afterwards(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.lost.add("vzshutdown")
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.is_running
    assert platform.apps.finished[-1][1:] == (True, "running")


async def test_an_app_that_was_not_overwritten_runs_again_after_a_failed_restore(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.failing.add("vzrestore")
    await platform.restore(backup_id)
    await platform.run_all()
    after = await platform.get(backup_id)
    assert after.status == "completed"
    assert "vzrestore broke" in after.error_message
    assert platform.is_running
    assert platform.apps.finished[-1][1:] == (False, "")


async def test_an_app_that_does_not_start_after_a_failed_restore_is_in_error(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.failing |= {"vzrestore", "vzstart"}
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.apps.finished[-1][1:] == (False, "error")


async def test_a_refused_restore_leaves_the_backup_as_it_was(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.apps.refusal = AppBusyError("the app is being updated")
    with pytest.raises(AppBusyError, match="being updated"):
        await platform.restore(backup_id)
    assert (await platform.get(backup_id)).status == "completed"
    assert await platform.run_all() == 0


async def test_a_restore_that_loses_the_container_is_tried_again_and_says_so(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.failing.add("vzrestore")
    platform.containers.is_fragile = True
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.containers.started.count("vzrestore") == 3
    assert platform.apps.finished[-1][1:] == (False, "error")
    assert "vzrestore broke. The container is gone" in platform.apps.messages[-1]
    platform.containers.failing.clear()
    platform.containers.wrecks.add(REF.vmid)
    await platform.restore(backup_id)
    await platform.run_all()
    assert ((REF.vmid in platform.containers.containers), platform.content) == (True, "first")
    assert platform.is_running, "it ran before the restore that lost its container"
    assert platform.apps.finished[-1][1:] == (True, "running")
    assert platform.apps.probed == [APP.app_id]


async def lose_container(platform: Platform, backup_id: int) -> None:
    """Have a restore fail that loses the container."""
    platform.containers.failing.add("vzrestore")
    platform.containers.is_fragile = True
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.apps.finished[-1][1:] == (False, "error")
    platform.containers.failing.clear()


async def test_several_failed_restores_do_not_change_that_an_app_is_to_run(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await lose_container(platform, backup_id)
    await lose_container(platform, backup_id)
    await platform.restore(backup_id)
    await platform.run_all()
    assert (platform.is_running, platform.apps.finished[-1][1:]) == (True, (True, "running"))


async def test_an_app_that_was_stopped_before_a_failed_restore_stays_stopped(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.stop(REF)
    platform.apps.apps[APP.app_id] = replace(APP, status="stopped")
    await lose_container(platform, backup_id)
    await platform.restore(backup_id)
    await platform.run_all()
    assert (platform.is_running, platform.apps.finished[-1][1:]) == (False, (True, "stopped"))
    assert platform.content == "first"


async def test_an_app_that_was_stopped_after_a_failed_restore_stays_stopped(platform: Platform) -> None:
    """Its container does not start after the failure, and its user stops the app."""
    backup_id = await platform.make_completed()
    platform.containers.failing |= {"vzrestore", "vzstart"}
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.apps.finished[-1][1:] == (False, "error")
    platform.containers.failing.clear()
    platform.apps.apps[APP.app_id] = replace(APP, status="stopped")
    await platform.restore(backup_id)
    await platform.run_all()
    assert (platform.is_running, platform.apps.finished[-1][1:]) == (False, (True, "stopped"))


async def test_an_app_whose_container_does_not_run_after_a_failed_restore_runs_after_the_next(
    platform: Platform,
) -> None:
    backup_id = await platform.make_completed()
    platform.containers.failing |= {"vzrestore", "vzstart"}
    await platform.restore(backup_id)
    await platform.run_all()
    assert (platform.is_running, platform.apps.finished[-1][1:]) == (False, (False, "error"))
    platform.containers.failing.clear()
    await platform.restore(backup_id)
    await platform.run_all()
    assert (platform.is_running, platform.apps.finished[-1][1:]) == (True, (True, "running"))


@pytest.mark.parametrize(("status", "is_running"), [("running", True), ("stopped", False)])
async def test_an_app_whose_container_was_destroyed_outside_is_as_it_was_after_a_restore(
    platform: Platform, status: str, is_running: bool
) -> None:
    backup_id = await platform.make_completed()
    platform.containers.containers.clear()
    platform.apps.apps[APP.app_id] = replace(APP, status=status)
    await platform.restore(backup_id)
    await platform.run_all()
    assert (platform.is_running, platform.apps.finished[-1][1:]) == (is_running, (True, status))


async def test_the_app_stays_as_it_is_when_the_archive_is_missing(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    kept, platform.containers.archives = platform.containers.archives, {}
    platform.containers.complete = False
    await platform.restore(backup_id)
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "restoring", "a storage that is away may have it"
    platform.containers.complete = True
    await platform.make_due()
    await platform.run_all()
    missing = await platform.get(backup_id)
    assert (missing.status, missing.is_completed) == ("missing", False)
    assert "is gone from its storage: Proxmox pruned it" in missing.error_message
    assert "the app is as it was" in platform.apps.messages[-1]
    assert (platform.is_running, platform.containers.started, len(kept)) == (True, ["vzdump"], 1)
    assert platform.apps.finished[-1][1:] == (False, "")


async def test_a_restored_app_that_does_not_answer_is_in_error(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.apps.probed == [APP.app_id]
    steps = list(dict.fromkeys(report.step for report in platform.apps.reports if report.step != "dump"))
    assert steps == [
        "claim_app",
        "stop_container",
        "restore_archive",
        "start_container",
        "probe",
    ]
    platform.apps.probe = AppProbe(answered=False, port=80, grace_s=0, message="connection refused")
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.apps.finished[-1][1:] == (False, "error")
    assert "port 80 does not answer after 0 s: connection refused" in platform.apps.messages[-1]


async def test_a_restore_tells_inventory_the_storage_that_the_app_was_given(platform: Platform) -> None:
    platform.apps.apps[APP.app_id] = replace(APP, storage="btr")
    backup_id = await platform.make_completed()
    await platform.restore(backup_id)
    await platform.run_all()
    assert platform.containers.restored_to == ["btr"]


async def test_a_request_to_restore_a_pruned_archive_is_refused_and_marks_the_backup(
    platform: Platform,
) -> None:
    backup_id = await platform.make_completed()
    platform.containers.archives.clear()
    with pytest.raises(PreconditionError, match="Proxmox pruned it"):
        await platform.restore(backup_id)
    assert (await platform.get(backup_id)).status == "missing"
    assert (platform.apps.locks, platform.is_running) == ({}, True)
    await platform.delete(backup_id)
    await platform.run_all()
    assert await platform.list_subjects() != []
