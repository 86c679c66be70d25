"""Second storages of policies: another backup after each, with a retention of its own, and where copies are."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.backups.v1 import policy_pb2

from services.backups.usecases.list_overdue_backups import list_overdue_backups
from services.backups.usecases.scheduled_backups import remove_superfluous_backups, start_due_backups
from services.backups.usecases.second_storages import start_due_copies
from services.clients.inventory.archive_values import RunningBackup
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, date_backup, find_slot


async def run_night(platform: Platform, policy: policy_pb2.BackupPolicy, *, days: int = 0) -> datetime:
    """Make the backup of a night, with the time of its slot."""
    slot = find_slot(policy, days=days)
    assert await start_due_backups(platform.dependencies, now=slot) == 1
    assert await start_due_copies(platform.dependencies, now=slot) == 0, "the first one is not made yet"
    await platform.run_all()
    newest = (await platform.list_backups(ADMIN)).backups[0]
    await date_backup(platform, newest.id, created_at=slot)
    return slot


async def copy(platform: Platform, *, at: datetime) -> int:
    begun = await start_due_copies(platform.dependencies, now=at)
    await platform.run_all()
    newest = (await platform.list_backups(ADMIN)).backups[0]
    await date_backup(platform, newest.id, created_at=at)
    return begun


@pytest.fixture
async def policy(platform: Platform) -> policy_pb2.BackupPolicy:
    made = await platform.add_policy(storage="local", second_storage="nas")
    await age_policies(platform)
    return made


async def test_each_backup_is_made_on_the_second_storage_once(
    platform: Platform, policy: policy_pb2.BackupPolicy
) -> None:
    slot = await run_night(platform, policy)
    assert await copy(platform, at=slot + timedelta(minutes=1)) == 1
    assert await start_due_copies(platform.dependencies, now=slot + timedelta(minutes=2)) == 0
    second, first = (await platform.list_backups(ADMIN)).backups
    assert (second.copy_of, second.policy_id, second.status) == (first.id, policy.id, "completed")
    assert [(one.id, one.status) for one in first.copies] == [(second.id, "completed")]
    assert (await platform.get(first.id)).copies == first.copies
    listed = await platform.api.list_all_backups(pb.ListAllBackupsRequest(), call_of(ADMIN))
    assert [one.copies for one in listed.backups] == [second.copies, first.copies]
    assert platform.apps.locks == {}


async def test_a_copy_that_fails_is_shown_and_not_made_again(
    platform: Platform, policy: policy_pb2.BackupPolicy
) -> None:
    slot = await run_night(platform, policy)
    platform.containers.failing.add("vzdump")
    assert await copy(platform, at=slot + timedelta(minutes=1)) == 1
    _, first = (await platform.list_backups(ADMIN)).backups
    assert (first.status, [one.status for one in first.copies]) == ("completed", ["failed"])
    assert await start_due_copies(platform.dependencies, now=slot + timedelta(minutes=2)) == 0


async def test_each_storage_has_what_the_policy_keeps(
    platform: Platform, policy: policy_pb2.BackupPolicy
) -> None:
    for days in range(4):
        slot = await run_night(platform, policy, days=days)
        await copy(platform, at=slot + timedelta(minutes=5))
    assert await remove_superfluous_backups(platform.dependencies, now=slot + timedelta(hours=1)) == 4
    await platform.run_all()
    left = (await platform.list_backups(ADMIN)).backups
    assert [one.HasField("copy_of") for one in left] == [True, False, True, False]
    request = policy_pb2.PreviewBackupPolicyRequest(policy_id=policy.id)
    [app] = (await platform.api.preview_backup_policy(request, call_of(ADMIN))).apps
    assert (len(app.keeps), len(app.removes)) == (4, 0)


async def test_a_copy_is_no_run(platform: Platform, policy: policy_pb2.BackupPolicy) -> None:
    slot = await run_night(platform, policy)
    await copy(platform, at=slot + timedelta(hours=20))
    late = slot + timedelta(hours=37)
    [overdue] = await list_overdue_backups(platform.dependencies.policies, now=late)
    assert (overdue.app_id, overdue.since.date()) == (APP.app_id, (slot + timedelta(days=1)).date())


async def test_a_copy_waits_for_other_backups_on_the_node(
    platform: Platform, policy: policy_pb2.BackupPolicy
) -> None:
    slot = await run_night(platform, policy)
    platform.containers.running_backups.append(RunningBackup("pve1", "UPID:1", 105, "root@pam"))
    assert await start_due_copies(platform.dependencies, now=slot + timedelta(minutes=1)) == 0
    platform.containers.running_backups.clear()
    assert await start_due_copies(platform.dependencies, now=slot + timedelta(minutes=2)) == 1


async def test_backups_from_before_the_second_storage_have_no_copy(platform: Platform) -> None:
    policy = await platform.add_policy(storage="local")
    await age_policies(platform)
    slot = await run_night(platform, policy)
    [backup] = (await platform.list_backups()).backups
    await date_backup(platform, backup.id, created_at=slot - timedelta(days=3))
    request = policy_pb2.UpdateBackupPolicyRequest(policy_id=policy.id, second_storage="nas")
    await platform.api.update_backup_policy(request, call_of(ADMIN))
    assert await start_due_copies(platform.dependencies, now=slot + timedelta(minutes=1)) == 0
