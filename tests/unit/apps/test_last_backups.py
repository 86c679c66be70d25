"""What apps shows of its backups: the newest one, whether the last update can be undone, and the icon beside them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert.apps import render_app
from services.apps.domain.changes import ChangeApp
from services.apps.domain.entities import AppFilter
from services.apps.usecases.last_backups import refresh_last_backups, refresh_overdue_backups
from services.clients.backups.values import AppBackupCount, LastBackup, OverdueRun
from services.common.core.errors import UnavailableError
from tests.fakes.app_upgrades import deploy, roll_back, upgrade
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call

AT = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)


async def refresh(platform: Platform, *app_ids: str) -> int:
    return await refresh_last_backups(platform.store, platform.backups, app_ids=app_ids or None)


async def show(service: Service, app_id: str) -> app_pb2.App:
    """The app as the list has it, which must be as it is alone."""
    listed = (await service.api.list_apps(pb.ListAppsRequest(), call(9, staff=True))).message.apps
    (found,) = (app for app in listed if app.id == app_id)
    assert found == (await service.api.get_app(pb.GetAppRequest(app_id=app_id), call(9, staff=True))).message
    return found


async def test_the_newest_backup_is_shown_and_goes_again(service: Service) -> None:
    app, platform = await service.deploy(), service.platform
    assert not (await show(service, app.id)).HasField("last_backup")
    for last in (LastBackup(3, AT), LastBackup(7, AT.replace(day=29))):
        platform.backups.counts[app.id] = AppBackupCount(2, 0, 1, last)
        assert await refresh(platform, app.id) == 1
        shown = (await show(service, app.id)).last_backup
        assert (shown.id, shown.completed_at.ToDatetime(UTC)) == (last.id, last.completed_at)
    del platform.backups.counts[app.id]
    assert await refresh(platform) == 1
    assert not (await show(service, app.id)).HasField("last_backup")


async def test_what_did_not_change_leaves_the_stamp_of_an_app(platform: Platform) -> None:
    apps = [await platform.deploy(f"web-0{number}") for number in range(3)]
    platform.backups.counts[apps[1].id] = AppBackupCount(1, 0, 1, LastBackup(1, AT))
    assert await refresh(platform) == 1
    before = await platform.store.list_stamps(AppFilter(), page=1, per_page=10)
    assert await refresh(platform) == 0
    assert await platform.store.list_stamps(AppFilter(), page=1, per_page=10) == before


async def test_a_release_of_backups_that_does_not_tell_changes_nothing(platform: Platform) -> None:
    app = await platform.deploy()
    platform.backups.counts[app.id] = AppBackupCount(1, 0, 1, LastBackup(1, AT))
    await refresh(platform)
    platform.backups.counts[app.id] = AppBackupCount(2, 0, 2)
    assert await refresh(platform) == 0
    assert (await platform.store.get_app(app.id)).last_backup == LastBackup(1, AT)


async def test_what_is_known_stays_while_backups_does_not_answer(platform: Platform) -> None:
    app = await platform.deploy()
    platform.backups.counts[app.id] = AppBackupCount(1, 0, 1, LastBackup(1, AT))
    await refresh(platform)
    platform.backups.down = True
    with pytest.raises(UnavailableError):
        await refresh(platform)
    assert (await platform.store.get_app(app.id)).last_backup == LastBackup(1, AT)


async def test_can_rollback_is_true_exactly_where_a_rollback_is_accepted(platform: Platform) -> None:
    app = await deploy(platform, revisions=("r1", "r2", "r3"))
    assert not render_app(app).can_rollback
    for revision in ("r2", "r3"):
        app = await upgrade(platform, app, revision=revision)
        assert render_app(app).can_rollback
    app = await roll_back(platform, app)
    assert render_app(app).can_rollback  # to r1, from the first update
    for status, expected in (("updating", False), ("error", True), ("stopped", True)):
        await platform.store.change(ChangeApp(app.id, {"status": status}))
        assert render_app(await platform.store.get_app(app.id)).can_rollback is expected
    unmanaged = dataclasses.replace(app, vmid=None)
    assert not render_app(unmanaged).can_rollback
    await platform.store.change(ChangeApp(app.id, {"status": "running"}))
    app = await roll_back(platform, await platform.store.get_app(app.id))
    assert not render_app(app).can_rollback


async def test_without_the_backup_of_the_update_there_is_no_way_back(platform: Platform) -> None:
    app = await upgrade(platform, await deploy(platform))
    platform.backups.counts[app.id] = AppBackupCount(1, 0, 1, LastBackup(1, AT))
    await refresh(platform)
    assert render_app(await platform.store.get_app(app.id)).can_rollback
    made = dict(platform.backups.made)
    platform.backups.made.clear()
    assert await refresh(platform) == 1
    (listed,) = await platform.store.get_apps([app.id])
    assert not render_app(listed).can_rollback
    platform.backups.made |= made  # found again, as the archive's storage came back
    assert await refresh(platform) == 1
    assert render_app(await platform.store.get_app(app.id)).can_rollback


async def test_a_removed_app_with_a_backup_can_be_removed_and_is_known_afterwards(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.backups.counts[app.id] = AppBackupCount(1, 0, 1, LastBackup(1, AT))
    await refresh(platform)
    await platform.act(app.id, "delete")
    await platform.run()
    assert await platform.store.was_removed(app.id)
    assert (await platform.store.get_app_of_backup(app.id, "none")).last_backup is None


async def test_an_icon_is_shown_where_the_catalog_has_one(service: Service) -> None:
    app, updates = await service.deploy(), service.api.renderer.updates
    assert (await show(service, app.id)).icon == ""
    service.platform.catalog.icon = "/api/catalog/adminer/icon"
    await updates.refresh()
    assert (await show(service, app.id)).icon == "/api/catalog/adminer/icon"
    await service.platform.store.change(ChangeApp(app.id, {"catalog_id": "custom", "adopted": True}))
    assert (await show(service, app.id)).icon == ""


async def test_the_newest_backup_may_be_an_external_one(service: Service) -> None:
    app, platform = await service.deploy(), service.platform
    external = LastBackup(None, AT, "nas")
    platform.backups.counts[app.id] = AppBackupCount(0, 0, 0, external=external)
    assert await refresh(platform, app.id) == 1
    shown = (await show(service, app.id)).last_backup
    assert (shown.id, shown.external, shown.storage) == (0, True, "nas")
    own = LastBackup(3, AT.replace(hour=3))
    platform.backups.counts[app.id] = AppBackupCount(1, 0, 1, own, external=external)
    await refresh(platform, app.id)
    shown = (await show(service, app.id)).last_backup
    assert (shown.id, shown.external, shown.storage) == (3, False, "")


async def test_an_overdue_backup_is_a_condition_until_it_is_made(service: Service) -> None:
    app, platform = await service.deploy(), service.platform
    platform.backups.overdue = [
        OverdueRun(app.id, "hourly", AT.replace(hour=5)),
        OverdueRun(app.id, "nightly", AT),
        OverdueRun("gone-00000000", "nightly", AT),
    ]
    assert await refresh_overdue_backups(platform.store, platform.backups) == 1
    assert await refresh_overdue_backups(platform.store, platform.backups) == 0
    [condition] = (await show(service, app.id)).conditions
    assert (condition.type, condition.since.ToDatetime(UTC)) == ("backup_overdue", AT)
    assert (
        "policy nightly has made no backup since its run of 2026-11-30 02:00 UTC was due" in condition.message
    )
    await platform.store.change(ChangeApp(app.id, {"conditions": []}))
    assert (await show(service, app.id)).conditions, "reconciliation knows nothing of backups"
    platform.backups.overdue = []
    assert await refresh_overdue_backups(platform.store, platform.backups) == 1
    assert not (await show(service, app.id)).conditions


async def test_what_is_overdue_stays_while_backups_does_not_answer(platform: Platform) -> None:
    app = await platform.deploy()
    platform.backups.overdue = [OverdueRun(app.id, "nightly", AT)]
    await refresh_overdue_backups(platform.store, platform.backups)
    platform.backups.down = True
    with pytest.raises(UnavailableError):
        await refresh_overdue_backups(platform.store, platform.backups)
    assert (await platform.store.get_app(app.id)).overdue_backup == OverdueRun(app.id, "nightly", AT)
