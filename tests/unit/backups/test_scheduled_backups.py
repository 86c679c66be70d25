"""The work of policies: due backups once, one per node and app, retention after success, overdue ones announced."""

from __future__ import annotations

from datetime import timedelta

from proximity.backups.v1 import policy_pb2

from services.backups.store.policies import BACKUP_OVERDUE
from services.backups.usecases.scheduled_backups import (
    announce_overdue_backups,
    remove_superfluous_backups,
    start_due_backups,
)
from services.common.core.clock import now
from services.common.rpc.call import Call
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OTHER_APP, Platform, call_of
from tests.unit.backups.policy_clock import LONG_AGO, age_policies, date_backup, find_slot


async def test_a_due_backup_is_made_once(platform: Platform) -> None:
    policy = await platform.add_policy()
    slot = find_slot(policy)
    assert await start_due_backups(platform.dependencies, now=now()) == 0
    assert await start_due_backups(platform.dependencies, now=slot) == 1
    assert await start_due_backups(platform.dependencies, now=slot) == 0
    await platform.run_all()
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(hours=1)) == 0
    [backup] = (await platform.list_backups()).backups
    assert (backup.status, backup.policy_id, backup.notes) == ("completed", policy.id, "Policy nightly")
    assert platform.apps.locks == {}


async def test_after_an_outage_one_run_is_made_up(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    later = find_slot(policy, days=9) + timedelta(hours=5)
    assert await start_due_backups(platform.dependencies, now=later) == 1
    await platform.run_all()
    assert await start_due_backups(platform.dependencies, now=later + timedelta(minutes=1)) == 0


async def test_a_run_older_than_half_of_the_interval_is_not_made_up(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    late = find_slot(policy) + timedelta(hours=13)
    assert await start_due_backups(platform.dependencies, now=late) == 0


async def test_a_node_makes_one_backup_at_a_time(platform: Platform) -> None:
    platform.add_app()
    policy = await platform.add_policy(app_ids=[APP.app_id, OTHER_APP.app_id])
    await age_policies(platform)
    slot = find_slot(policy)
    for minutes in (0, 1, 2):
        begun = await start_due_backups(platform.dependencies, now=slot + timedelta(minutes=minutes))
        assert begun == (0 if minutes == 2 else 1)
        if minutes == 0:
            assert await start_due_backups(platform.dependencies, now=slot) == 0
        await platform.run_all()
    assert len(await platform.list_all(ADMIN, status="completed")) == 2


async def test_a_busy_app_is_backed_up_when_it_is_free(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    slot = find_slot(policy)
    platform.apps.locks[APP.app_id] = "f" * 32
    assert await start_due_backups(platform.dependencies, now=slot) == 0
    assert (await platform.list_backups()).total == 0
    platform.apps.locks.clear()
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(minutes=1)) == 1


async def test_a_lost_answer_of_apps_makes_no_second_backup(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    slot = find_slot(policy)
    platform.apps.is_answer_lost = True
    assert await start_due_backups(platform.dependencies, now=slot) == 0
    await platform.make_due()
    await platform.run_all()
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(minutes=1)) == 1
    await platform.run_all()
    assert ((await platform.list_backups()).total, platform.apps.locks) == (1, {})


async def test_an_app_that_is_gone_does_not_hinder_the_others(platform: Platform) -> None:
    platform.add_app()
    policy = await platform.add_policy(app_ids=[APP.app_id, OTHER_APP.app_id])
    await age_policies(platform)
    del platform.apps.apps[APP.app_id]
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 1
    [current] = await platform.dependencies.policies.list_policies()
    assert current.settings.app_ids == (OTHER_APP.app_id,), "an app that is gone would be overdue for ever"


async def test_a_disabled_policy_makes_nothing(platform: Platform) -> None:
    policy = await platform.add_policy(enabled=False)
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 0


async def make_nights(platform: Platform, count: int) -> list[int]:
    """Make a backup in each of some nights; each gets the time of its slot."""
    policy = await platform.add_policy()
    await age_policies(platform)
    made = []
    for night in range(count):
        slot = find_slot(policy, days=night)
        assert await start_due_backups(platform.dependencies, now=slot) == 1
        await platform.run_all()
        newest = (await platform.list_backups(ADMIN)).backups[0].id
        await date_backup(platform, newest, created_at=slot)
        made.append(newest)
    return made


async def remove(platform: Platform) -> list[int]:
    """Apply the retention and return the backups that are left, oldest first."""
    moment = find_slot(await platform.api.get_backup_policy(_first(), _admin()), days=30)
    await remove_superfluous_backups(platform.dependencies, now=moment)
    await platform.run_all()
    return sorted(await platform.list_all(ADMIN))


def _first() -> policy_pb2.GetBackupPolicyRequest:
    return policy_pb2.GetBackupPolicyRequest(policy_id=1)


def _admin() -> Call:
    return call_of(ADMIN)


async def test_what_the_retention_does_not_keep_is_removed_with_its_archive(platform: Platform) -> None:
    manual = await platform.make_completed()
    made = await make_nights(platform, 4)
    await platform.protect(made[0])
    assert await remove(platform) == [manual, made[0], *made[2:]]
    assert len(platform.containers.archives) == 4
    assert await remove(platform) == [manual, made[0], *made[2:]]


async def test_a_failed_run_removes_nothing(platform: Platform) -> None:
    made = await make_nights(platform, 3)
    platform.containers.failing.add("vzdump")
    policy = await platform.api.get_backup_policy(_first(), _admin())
    slot = find_slot(policy, days=3)
    assert await start_due_backups(platform.dependencies, now=slot) == 1
    await platform.run_all()
    [failed] = await platform.list_all(ADMIN, status="failed")
    assert await remove(platform) == [*made, failed]


async def test_a_changed_policy_removes_nothing_before_its_next_run(platform: Platform) -> None:
    made = await make_nights(platform, 2)
    request = policy_pb2.UpdateBackupPolicyRequest(policy_id=1, keep_daily=1)
    await platform.api.update_backup_policy(request, _admin())
    for number, backup_id in enumerate(made):
        await date_backup(platform, backup_id, created_at=LONG_AGO + timedelta(days=number))
    assert await remove(platform) == made


async def test_an_overdue_backup_is_announced_once(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    late = find_slot(policy) + timedelta(hours=13)
    assert await announce_overdue_backups(platform.dependencies, now=late) == 1
    assert await announce_overdue_backups(platform.dependencies, now=late) == 0
    assert await platform.list_subjects() == [BACKUP_OVERDUE]
    assert await announce_overdue_backups(platform.dependencies, now=late + timedelta(days=1)) == 1
