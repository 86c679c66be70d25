"""Backups of apps that are gone: listed, restored beside, protected and deleted as before; some go with their app."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nats.aio.msg import Msg
from proximity.apps.v1 import events_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import AppRemovedError, BackupNotFoundError, BackupProtectedError
from services.backups.domain.removed_apps import delete_requested_backups
from services.backups.jobs import BackupJobs
from services.common.core.errors import NotFoundError
from services.common.identity.tokens import User
from tests.store.backups_world import (  # noqa: F401 - fixtures
    ADMIN,
    OWNER,
    STRANGER,
    World,
    build,
    call_of,
    db,
    migrated_file,
    migrated_url,
    world,
)
from tests.unit.backups.fakes import APP, FakeAppGoneError

OTHER = replace(APP, app_id="db-0a1b2c3d", name="db", owner_id=STRANGER.id, vmid=9002)


async def remove_app(world: World, *, delete: bool = False) -> None:  # noqa: F811 - the fixture
    """The app goes, and backups hears of it as from NATS."""
    del world.apps.apps[APP.app_id]
    event = events_pb2.AppRemoved(app_id=APP.app_id, owner_id=APP.owner_id, delete_backups=delete)
    message = Msg(None, data=event.SerializeToString(), headers={"Nats-Msg-Id": "m1"})  # type: ignore[arg-type]
    await make_jobs(world).note_app_removed(message)


def make_jobs(world: World) -> BackupJobs:  # noqa: F811
    return BackupJobs(world.store)


async def protect(world: World, backup_id: int, *, protected: bool = True) -> None:  # noqa: F811
    request = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, protected=protected)
    await world.api.update_backup(request, call_of())


async def list_all(world: World, user: User = OWNER, **fields: object) -> list[int]:  # noqa: F811
    request = pb.ListAllBackupsRequest(**fields)  # type: ignore[arg-type]
    answer = await world.api.list_all_backups(request, call_of(user))
    assert answer.total == len(answer.backups)
    return [one.id for one in answer.backups]


async def test_the_backups_of_a_removed_app_are_listed_for_its_owner_and_administrators(world: World) -> None:  # noqa: F811
    made = await world.make_completed()
    await remove_app(world)
    for user in (OWNER, ADMIN):
        page = (await world.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of(user))).message
        assert [one.id for one in page.backups] == [made]
        assert await list_all(world, user) == await list_all(world, user, app_id=APP.app_id) == [made]
        shown = await world.get(made, user)
        assert (shown.app_name, shown.status, shown.HasField("app_removed_at")) == (
            APP.name,
            "completed",
            True,
        )
        stats = await world.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of(user))
        assert stats.completed_backups == 1
    assert await list_all(world, STRANGER) == []
    for attempt in (
        world.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of(STRANGER)),
        world.get(made, STRANGER),
        world.delete(made, STRANGER),
    ):
        with pytest.raises(NotFoundError):
            await attempt


async def test_backups_over_all_apps_are_filtered_and_paged(world: World) -> None:  # noqa: F811
    first = await world.make_completed()
    world.containers.failing.add("vzdump")
    failed = await world.make_completed()
    world.apps.apps[OTHER.app_id] = OTHER
    world.containers.failing.clear()
    request = pb.CreateBackupRequest(app_id=OTHER.app_id)
    theirs = (await world.api.create_backup(request, call_of(STRANGER))).id
    assert await list_all(world) == [failed, first]
    assert await list_all(world, ADMIN) == [theirs, failed, first]
    assert await list_all(world, ADMIN, status="creating") == [theirs]
    assert await list_all(world, ADMIN, status="failed", app_id=APP.app_id) == [failed]
    assert await list_all(world, OWNER, app_id=OTHER.app_id) == []
    call = replace(call_of(ADMIN), metadata={"x-envoy-original-path": "/api/backups?page=2&per_page=2"})
    answer = await world.api.list_all_backups(pb.ListAllBackupsRequest(page=2, per_page=2), call)
    assert ([one.id for one in answer.backups], answer.total, answer.page, answer.per_page) == (
        [first],
        3,
        2,
        2,
    )
    assert 'rel="prev"' in dict(call.headers)["link"]


async def test_a_removed_app_is_not_restored_in_place_but_beside(world: World) -> None:  # noqa: F811
    made = await world.make_completed()
    await remove_app(world)
    with pytest.raises(AppRemovedError, match="new_hostname"):
        await world.restore(made)
    assert (await world.get(made)).status == "completed"
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made, new_hostname="back-1")
    with pytest.raises(BackupNotFoundError):
        await world.api.restore_backup(request, call_of(STRANGER))
    await world.api.restore_backup(request, call_of())
    (order,) = world.apps.beside
    assert (order.source_app_id, order.new_hostname) == (APP.app_id, "back-1")
    assert (order.host_id, order.vmid, order.owner_id) == (APP.host_id, APP.vmid, APP.owner_id)


async def test_the_backup_of_a_removed_app_is_protected_and_deleted(world: World) -> None:  # noqa: F811
    made = await world.make_completed()
    await remove_app(world)
    await protect(world, made)
    with pytest.raises(BackupProtectedError):
        await world.delete(made)
    await protect(world, made, protected=False)
    await world.delete(made)
    await world.run_all()
    assert (await list_all(world), len(world.containers.archives)) == ([], 0)
    with pytest.raises(FakeAppGoneError):  # nothing is left that could be listed
        await world.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of())


async def test_backups_that_go_with_their_app_are_deleted_but_for_protected_ones(world: World) -> None:  # noqa: F811
    kept, gone = await world.make_completed(), await world.make_completed()
    await protect(world, kept)
    await remove_app(world, delete=True)
    assert (await world.get(gone)).status == "deleting"
    await world.run_all()
    assert (await list_all(world), len(world.containers.archives)) == ([kept], 1)
    await protect(world, kept, protected=False)  # it was not to go then, so it does not go now
    assert await delete_requested_backups(world.store) == 0


async def test_backups_stay_unless_it_is_asked_for(world: World) -> None:  # noqa: F811
    made = await world.make_completed()
    await remove_app(world)
    assert await delete_requested_backups(world.store) == 0
    assert await list_all(world) == [made]


async def test_one_that_is_read_meanwhile_is_deleted_later(world: World) -> None:  # noqa: F811
    made = await world.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made, new_hostname="back-1")
    call = call_of()
    await world.api.restore_backup(request, call)
    world.apps.standings[call.request_id] = "unfinished"
    await remove_app(world, delete=True)
    assert (await world.get(made)).status == "restoring"
    world.apps.standings[call.request_id] = "succeeded"
    await world.make_due()
    await world.run_all()
    assert (await world.get(made)).status == "completed"
    assert await delete_requested_backups(world.store) == 1
    await world.run_all()
    assert await list_all(world) == []


async def test_who_protects_one_that_is_to_go_keeps_it(world: World) -> None:  # noqa: F811
    made = await world.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made, new_hostname="back-1")
    call = call_of()
    await world.api.restore_backup(request, call)
    await remove_app(world, delete=True)
    world.apps.standings[call.request_id] = "succeeded"
    await world.make_due()
    await world.run_all()
    await protect(world, made)
    await protect(world, made, protected=False)
    assert await delete_requested_backups(world.store) == 0


async def test_backups_are_counted_for_apps(world: World) -> None:  # noqa: F811
    made = [await world.make_completed() for _ in range(2)]
    await protect(world, made[0])
    request = pb.CountBackupsRequest(app_ids=[APP.app_id, "none-00000000"])
    answer = await world.internal.count_backups(request, call_of())
    assert [(one.app_id, one.total, one.protected) for one in answer.apps] == [(APP.app_id, 2, 1)]
