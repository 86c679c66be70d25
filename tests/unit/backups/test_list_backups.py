"""ListBackups: pages of an app, for its owner and administrators."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.common.core.errors import NotFoundError
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OWNER, STRANGER, Platform, call_of


async def test_lists_are_paged_newest_first_and_counted(platform: Platform) -> None:
    made = [await platform.make_completed() for _ in range(3)]
    platform.containers.failing.add("vzdump")
    made.append(await platform.make_completed())
    call = replace(
        call_of(), metadata={"x-envoy-original-path": f"/api/apps/{APP.app_id}/backups?page=2&per_page=2"}
    )
    page = (
        await platform.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id, page=2, per_page=2), call)
    ).message
    assert ([backup.id for backup in page.backups], page.total) == ([made[1], made[0]], 4)
    assert 'page=1&per_page=2>; rel="prev"' in dict(call.headers)["link"]
    stats = await platform.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of())
    assert (stats.total_backups, stats.completed_backups, stats.failed_backups) == (4, 3, 1)
    assert (stats.in_progress_backups, stats.average_size_mb) == (0, 3.0)


async def test_the_backups_of_a_removed_app_are_listed_for_its_owner_and_administrators(
    platform: Platform,
) -> None:
    made = await platform.make_completed()
    await platform.remove_app()
    for user in (OWNER, ADMIN):
        page = (
            await platform.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of(user))
        ).message
        assert [one.id for one in page.backups] == [made]
        assert await platform.list_all(user) == await platform.list_all(user, app_id=APP.app_id) == [made]
        shown = await platform.get(made, user)
        assert (shown.app_name, shown.status, shown.HasField("app_removed_at")) == (
            APP.name,
            "completed",
            True,
        )
        stats = await platform.api.get_backup_stats(
            pb.GetBackupStatsRequest(app_id=APP.app_id), call_of(user)
        )
        assert stats.completed_backups == 1
    assert await platform.list_all(STRANGER) == []
    for attempt in (
        platform.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of(STRANGER)),
        platform.get(made, STRANGER),
        platform.delete(made, STRANGER),
    ):
        with pytest.raises(NotFoundError):
            await attempt


async def test_pages_behind_a_backup_are_cached_by_their_own_state(platform: Platform) -> None:
    made = [await platform.make_completed() for _ in range(4)]
    call = replace(
        call_of(),
        metadata={"x-envoy-original-path": f"/api/apps/{APP.app_id}/backups?after={made[3]}&per_page=2"},
    )

    async def show(after: int) -> tuple[list[int], int]:
        request = pb.ListBackupsRequest(app_id=APP.app_id, after=after, per_page=2)
        answer = (await platform.api.list_backups(request, call)).message
        return [one.id for one in answer.backups], answer.total

    assert await show(made[3]) == await show(made[3]) == ([made[2], made[1]], 4)
    assert f"after={made[1]}&per_page=2" in dict(call.headers)["link"]
    await platform.make_completed()
    await platform.delete(made[2])
    await platform.run_all()
    assert await show(made[3]) == ([made[1], made[0]], 4)
    assert await show(made[0]) == ([], 4)
