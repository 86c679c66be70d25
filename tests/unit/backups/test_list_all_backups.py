"""ListAllBackups: over all apps, deleted ones included."""

from __future__ import annotations

from dataclasses import replace

from proximity.backups.v1 import backups_service_pb2 as pb

from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OTHER_APP, OWNER, STRANGER, Platform, call_of


async def test_backups_over_all_apps_are_filtered_and_paged(platform: Platform) -> None:
    first = await platform.make_completed()
    platform.containers.failing.add("vzdump")
    failed = await platform.make_completed()
    platform.apps.apps[OTHER_APP.app_id] = OTHER_APP
    platform.containers.failing.clear()
    request = pb.CreateBackupRequest(app_id=OTHER_APP.app_id)
    theirs = (await platform.api.create_backup(request, call_of(STRANGER))).id
    assert await platform.list_all() == [failed, first]
    assert await platform.list_all(ADMIN) == [theirs, failed, first]
    assert await platform.list_all(ADMIN, status="creating") == [theirs]
    assert await platform.list_all(ADMIN, status="failed", app_id=APP.app_id) == [failed]
    assert await platform.list_all(OWNER, app_id=OTHER_APP.app_id) == []
    call = replace(call_of(ADMIN), metadata={"x-envoy-original-path": "/api/backups?page=2&per_page=2"})
    answer = await platform.api.list_all_backups(pb.ListAllBackupsRequest(page=2, per_page=2), call)
    assert ([one.id for one in answer.backups], answer.total, answer.page, answer.per_page) == (
        [first],
        3,
        2,
        2,
    )
    assert 'rel="prev"' in dict(call.headers)["link"]


async def test_a_user_without_backups_sees_none_of_others(platform: Platform) -> None:
    await platform.make_completed()
    assert await platform.list_all(STRANGER) == []
    assert await platform.list_all(STRANGER, app_id=APP.app_id) == []
