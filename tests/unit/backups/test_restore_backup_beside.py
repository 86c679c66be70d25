"""RestoreBackup as a new app: beside the app, on another node, on another host."""

from __future__ import annotations

from datetime import timedelta

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import (
    AppRemovedError,
    BackupInUseError,
    BackupNotFoundError,
    RestoreInvalidError,
)
from services.backups.store.changes import APP_RESTORED
from services.backups.store.tables import operations
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.restore_plans import RestoreTargetUnfitError
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from tests.fakes.apps import APP
from tests.unit.backups.platform import STRANGER, Platform, call_of


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
