"""ListAllBackups: over all apps, deleted ones included."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.usecases.scheduled_backups import start_due_backups
from services.common.core.clock import now
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OTHER_APP, OWNER, STRANGER, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, find_slot


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


async def test_backups_are_found_by_each_filter(platform: Platform) -> None:
    manual = await platform.make_completed()
    policy = await platform.add_policy()
    await age_policies(platform)
    await start_due_backups(platform.dependencies, now=find_slot(policy))
    await platform.run_all()
    scheduled = max(await platform.list_all(ADMIN))
    await platform.protect(manual)

    async def find(**fields: object) -> list[int]:
        request = pb.ListAllBackupsRequest(**fields)  # type: ignore[arg-type]
        answer = await platform.api.list_all_backups(request, call_of(ADMIN))
        return [one.id for one in answer.backups]

    assert await find(policy_id=policy.id) == [scheduled]
    assert await find(protected=True) == [manual]
    assert await find(storage="local") == [scheduled, manual]
    assert await find(storage="nas") == await find(host_id=9) == []
    assert await find(owner=OWNER.id) == [scheduled, manual]
    assert await find(owner=STRANGER.id) == []
    later = Timestamp()
    later.FromDatetime(now() + timedelta(hours=1))
    assert await find(since=later) == []
    assert await find(app_removed=True) == []
    await platform.remove_app()
    assert await find(app_removed=True) == [scheduled, manual]
    assert await find(app_removed=False) == []
    mine = await platform.api.list_all_backups(pb.ListAllBackupsRequest(owner=OWNER.id), call_of(STRANGER))
    assert list(mine.backups) == [], "users see their own backups alone"


async def test_pages_behind_a_backup_stay_while_backups_come_and_go(platform: Platform) -> None:
    made = [await platform.make_completed() for _ in range(4)]
    request = pb.ListAllBackupsRequest(per_page=2)
    first = [one.id for one in (await platform.api.list_all_backups(request, call_of(OWNER))).backups]
    assert first == made[:1:-1]
    await platform.make_completed()
    await platform.delete(first[-1])
    await platform.run_all()
    request = pb.ListAllBackupsRequest(per_page=2, after=first[-1])
    answer = await platform.api.list_all_backups(request, call_of(OWNER))
    assert ([one.id for one in answer.backups], answer.total) == (made[1::-1], 4)
