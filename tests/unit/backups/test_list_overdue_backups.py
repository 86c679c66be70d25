"""ListOverdueBackups: what is overdue by the schedules, computed without a run of the worker."""

from __future__ import annotations

from datetime import UTC, timedelta

from google.protobuf import empty_pb2
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.backups.v1 import policy_pb2

from services.backups.usecases.list_overdue_backups import list_overdue_backups
from services.backups.usecases.scheduled_backups import start_due_backups
from services.common.core.clock import now
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, date_backup, find_slot


async def list_overdue(platform: Platform) -> list[pb.OverdueBackup]:
    return list((await platform.internal.list_overdue_backups(empty_pb2.Empty(), call_of())).overdue)


async def test_a_run_without_a_backup_is_overdue_though_nothing_ran(platform: Platform) -> None:
    policy = await platform.add_policy()
    assert await list_overdue(platform) == []
    await age_policies(platform)
    [overdue] = await list_overdue(platform)
    assert (overdue.app_id, overdue.policy_id, overdue.policy_name) == (APP.app_id, policy.id, "nightly")
    assert overdue.since.ToDatetime(UTC) < now()


async def test_a_good_backup_ends_it_and_one_whose_archive_is_gone_does_not(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    slot = find_slot(policy)
    await start_due_backups(platform.dependencies, now=slot)
    await platform.run_all()
    [backup] = (await platform.list_backups()).backups
    await date_backup(platform, backup.id, created_at=slot)
    late = slot + timedelta(hours=13)
    assert await list_overdue_backups(platform.dependencies.policies, now=late) == []
    await platform.store.note_presence([backup.id], present=False, error="gone")
    [overdue] = await list_overdue_backups(platform.dependencies.policies, now=late)
    assert overdue.since == slot


async def test_nothing_is_overdue_under_a_policy_that_does_nothing(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    request = policy_pb2.UpdateBackupPolicyRequest(policy_id=policy.id, enabled=False)
    await platform.api.update_backup_policy(request, call_of(ADMIN))
    assert await list_overdue(platform) == []
