"""Retention of policies: what is removed after a successful run, with its archive."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.usecases.scheduled_backups import (
    remove_superfluous_backups,
    start_due_backups,
)
from services.common.rpc.call import Call
from tests.unit.backups.platform import (
    ADMIN,
    Platform,
    call_of,
)
from tests.unit.backups.policy_clock import LONG_AGO, age_policies, date_backup, find_slot


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


async def test_old_failures_go_once_a_later_backup_succeeded(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    slot = find_slot(policy)
    platform.containers.failing.add("vzdump")
    for days in (0, 1):
        await start_due_backups(platform.dependencies, now=slot + timedelta(days=days))
        await platform.run_all()
    platform.containers.failing.clear()
    newest, oldest = (await platform.list_backups(ADMIN)).backups
    await date_backup(platform, oldest.id, created_at=slot)
    await date_backup(platform, newest.id, created_at=slot + timedelta(days=1))
    late = slot + timedelta(days=8, hours=-1)
    assert await remove_superfluous_backups(platform.dependencies, now=late) == 0
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(days=7)) == 1
    await platform.run_all()
    assert await remove_superfluous_backups(platform.dependencies, now=late) == 1
    await platform.run_all()
    assert oldest.id not in await platform.list_all(ADMIN)
    assert newest.id in await platform.list_all(ADMIN)


async def test_the_last_backup_stays_when_a_person_deletes_the_newest_meanwhile(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_nights(platform, 4)
    policies = platform.dependencies.policies
    list_backups = policies.list_policy_backups

    async def list_before_a_deletion(policy_id: int) -> Any:
        listed = await list_backups(policy_id)
        await platform.delete(made[-1])
        return listed

    monkeypatch.setattr(policies, "list_policy_backups", list_before_a_deletion)
    moment = find_slot(await platform.api.get_backup_policy(_first(), _admin()), days=30)
    assert await remove_superfluous_backups(platform.dependencies, now=moment) == 0
    await platform.run_all()
    assert sorted(await platform.list_all(ADMIN)) == made[:-1]


async def test_the_newest_backup_stays_where_the_clock_was_set_back(platform: Platform) -> None:
    made = await make_nights(platform, 3)
    await platform.api.update_backup_policy(
        policy_pb2.UpdateBackupPolicyRequest(policy_id=1, keep_last=1, keep_daily=0), _admin()
    )
    await age_policies(platform)
    # Made at the same wall time an hour earlier than the one before.
    await date_backup(platform, made[2], created_at=LONG_AGO + timedelta(days=40))
    await date_backup(platform, made[1], created_at=LONG_AGO + timedelta(days=40, hours=1))
    assert made[2] in await remove(platform)
