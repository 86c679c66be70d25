"""PreviewBackupPolicy: the next runs in the policy's zone, and the retention of each app."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import PolicyNotFoundError
from services.backups.store.tables import backups, policy_runs
from services.backups.usecases.context import BackupRequester
from services.backups.usecases.preview_backup_policy import preview_backup_policy
from services.backups.usecases.scheduled_backups import start_due_backups
from services.clients.inventory.archive_values import RunningBackup
from services.common.core.clock import now
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, date_backup, find_slot


async def preview(platform: Platform, policy_id: int) -> policy_pb2.BackupPolicyPreview:
    request = policy_pb2.PreviewBackupPolicyRequest(policy_id=policy_id)
    return await platform.api.preview_backup_policy(request, call_of(ADMIN))


async def test_five_runs_are_shown_in_the_zone(platform: Platform) -> None:
    policy = await platform.add_policy(time_zone="Asia/Kathmandu")
    shown = await preview(platform, policy.id)
    assert shown.time_zone == "Asia/Kathmandu"
    assert [run[10:] for run in shown.next_runs] == ["T03:00:00+05:45"] * 5
    assert [(app.app_id, list(app.keeps), list(app.removes)) for app in shown.apps] == [(APP.app_id, [], [])]


async def test_the_offset_of_a_run_is_the_one_of_its_day(platform: Platform) -> None:
    policy = await platform.add_policy(schedule="30 2 * * *")
    before = datetime(2027, 3, 27, 12, tzinfo=ZoneInfo("UTC"))
    shown = await preview_backup_policy(
        platform.dependencies, BackupRequester(ADMIN, None, "r1"), policy_id=policy.id, now=before
    )
    assert shown.next_runs[0].isoformat() == "2027-03-28T03:00:00+02:00"


async def test_a_disabled_policy_has_no_runs(platform: Platform) -> None:
    policy = await platform.add_policy(enabled=False)
    assert list((await preview(platform, policy.id)).next_runs) == []


async def test_backups_of_the_policy_alone_are_kept_and_removed(platform: Platform) -> None:
    policy = await platform.add_policy()
    made = [await platform.make_completed() for _ in range(5)]
    for number, backup_id in enumerate(made):
        await date_backup(platform, backup_id, created_at=now() - timedelta(days=5 - number))
    of_policy = backups.update().where(backups.c.id.in_(made[1:])).values(policy_id=policy.id)
    await platform.db.write(lambda connection: connection.execute(of_policy))
    await platform.protect(made[1])
    [app] = (await preview(platform, policy.id)).apps
    assert (list(app.keeps), list(app.removes)) == ([made[1], made[3], made[4]], [made[2]])
    assert not app.HasField("overdue_since")


async def test_an_overdue_backup_is_shown(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    [app] = (await preview(platform, policy.id)).apps
    assert app.overdue_since.ToDatetime().minute == 0


async def test_a_policy_that_is_not_there_is_refused(platform: Platform) -> None:
    with pytest.raises(PolicyNotFoundError):
        await preview(platform, 7)


async def test_a_preview_changes_nothing(platform: Platform) -> None:
    policy = await platform.add_policy()
    await platform.db.write(lambda connection: connection.execute(policy_runs.delete()))
    [app] = (await preview(platform, policy.id)).apps
    assert (app.app_id, app.HasField("overdue_since"), app.HasField("waiting_for")) == (
        APP.app_id,
        False,
        False,
    )
    assert await platform.count(policy_runs) == 0


async def test_what_a_run_waits_for_is_shown(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    platform.containers.running_backups.append(RunningBackup("pve1", "UPID:1", 105, "root@pam"))
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 0
    [app] = (await preview(platform, policy.id)).apps
    assert app.waiting_for == "waiting for another backup on node pve1: root@pam backs up guest 105"


async def test_storages_that_may_refuse_archives_are_named(platform: Platform) -> None:
    policy = await platform.add_policy(keep_daily=7)
    local, nas = platform.containers.storages[1]
    platform.containers.storages[1] = [local, replace(nas, max_archives=3)]
    [warning] = (await preview(platform, policy.id)).warnings
    assert "storage 'nas' of Proxmox host 1" in warning
    assert "once there are 3, and the policy keeps up to 7" in warning


async def test_users_see_their_own_policies_alone(platform: Platform) -> None:
    policy = await platform.add_policy()
    request = policy_pb2.PreviewBackupPolicyRequest(policy_id=policy.id)
    with pytest.raises(PolicyNotFoundError):
        await platform.api.preview_backup_policy(request, call_of())


async def test_a_host_that_does_not_answer_is_named(platform: Platform) -> None:
    policy = await platform.add_policy()
    platform.containers.broken["list_backup_storages"] = 1
    [warning] = (await preview(platform, policy.id)).warnings
    assert warning.startswith("the storages of Proxmox host 1 are not known now: ")
