"""RestoreBackup: over the app and beside it, and the state of both after a failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import (
    AppBusyError,
    AppRemovedError,
    BackupInUseError,
    BackupNotFoundError,
    RestoreInvalidError,
)
from services.backups.store.changes import APP_RESTORED
from services.backups.store.tables import operations
from services.clients.apps.values import AppProbe
from services.clients.inventory.restore_plans import RestoreTargetUnfitError
from services.common.core.clock import now
from services.common.core.errors import WAIT, BusyError, PreconditionError, UnavailableError
from tests.fakes.apps import APP
from tests.unit.backups.platform import REF, STRANGER, Platform, call_of


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


async def test_a_restore_beside_is_left_to_apps(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02")
    answer = await platform.api.restore_backup(request, call_of())
    assert answer.application_id == "web-99999999"
    assert platform.apps.orders[0].archive in platform.containers.archives
    operation_id = platform.apps.orders[0].operation_id
    for _ in range(2):  # while apps reads the archive it is neither deleted nor restored
        assert (await platform.get(backup_id)).status == "restoring"
        with pytest.raises(BackupInUseError):
            await platform.delete(backup_id)
        with pytest.raises(BackupInUseError):
            await platform.api.restore_backup(request, call_of())
        assert await platform.run_all() >= 1  # again when a second has passed meanwhile
        await platform.make_due()
    platform.apps.standings[operation_id] = "failed"
    assert await platform.run_all() == 1
    assert (await platform.get(backup_id)).status == "completed"
    assert APP_RESTORED not in await platform.list_subjects()


async def test_a_restore_beside_that_apps_refuses_or_never_received_leaves_the_backup(
    platform: Platform,
) -> None:
    backup_id = await platform.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02")
    platform.apps.refusal = AppBusyError("the hostname is taken")
    with pytest.raises(AppBusyError):
        await platform.api.restore_backup(request, call_of())
    assert (await platform.get(backup_id)).status == "completed"
    platform.apps.refusal = UnavailableError("apps does not answer")
    with pytest.raises(UnavailableError):
        await platform.api.restore_backup(request, call_of())
    await platform.make_due()
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "restoring", "the request may still reach apps"
    long_ago = operations.update().values(created_at=now() - timedelta(minutes=2))
    await platform.db.write(lambda connection: connection.execute(long_ago))
    await platform.make_due()
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "completed"


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
    assert platform.apps.finished[-1][1:] == (True, "stopped")


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


async def test_a_removed_app_is_not_restored_in_place_but_beside(platform: Platform) -> None:
    made = await platform.make_completed()
    await platform.remove_app()
    with pytest.raises(AppRemovedError, match="new_hostname"):
        await platform.restore(made)
    assert (await platform.get(made)).status == "completed"
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made, new_hostname="back-1")
    with pytest.raises(BackupNotFoundError):
        await platform.api.restore_backup(request, call_of(STRANGER))
    await platform.api.restore_backup(request, call_of())
    (order,) = platform.apps.orders
    assert (order.source_app_id, order.new_hostname) == (APP.app_id, "back-1")
    assert (order.host_id, order.vmid, order.owner_id) == (APP.host_id, APP.vmid, APP.owner_id)


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


async def test_a_container_that_is_gone_is_restored_without_a_backup_before(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.containers.clear()
    await platform.restore(backup_id, safety_backup=True)
    await platform.run_all()
    assert platform.content == "first"
    assert len((await platform.list_backups()).backups) == 1


async def test_a_restore_on_another_host_names_the_archive_as_that_host_does(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    platform.containers.seen_by.add(2)
    request = pb.RestoreBackupRequest(
        app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02", host_id=2
    )
    await platform.api.restore_backup(request, call_of())
    (order,) = platform.apps.orders
    assert (order.host_id, order.target_host_id, order.node) == (1, 2, "pve1")
    assert order.archive == order.target_archive
    assert order.archive_size == platform.containers.archive_size
    (plan,) = platform.containers.plans
    assert (plan.source_host_id, plan.host_id, plan.backup_id) == (1, 2, order.made_by)
    assert plan.preferred_node == "", "the node of the old app is one of another host"


async def test_a_restore_beside_is_refused_before_anything_is_begun(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    request = pb.RestoreBackupRequest(
        app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02", host_id=2
    )
    with pytest.raises(RestoreTargetUnfitError, match="host-2 has no storage with the archive"):
        await platform.api.restore_backup(request, call_of())
    platform.containers.offline.add("pve2")
    here = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02", node="pve2")
    with pytest.raises(RestoreTargetUnfitError, match="node pve2: it is offline"):
        await platform.api.restore_backup(here, call_of())
    request.host_id = 99
    with pytest.raises(RestoreInvalidError, match="host_id: there is no Proxmox host 99"):
        await platform.api.restore_backup(request, call_of())
    assert (await platform.get(backup_id)).status == "completed"
    assert platform.apps.orders == []
    request.ClearField("new_hostname")
    with pytest.raises(RestoreInvalidError, match="host_id: 99 is for a restore as a new app"):
        await platform.api.restore_backup(request, call_of())


async def test_a_node_is_for_a_restore_beside(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    request = pb.RestoreBackupRequest(
        app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02", node="pve2"
    )
    await platform.api.restore_backup(request, call_of())
    assert platform.apps.orders[-1].node == "pve2"
    over = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, node="pve2")
    with pytest.raises(RestoreInvalidError, match="new_hostname"):
        await platform.api.restore_backup(over, call_of())
