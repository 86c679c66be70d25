"""DeleteBackupPolicy: the backups that it made stay."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import PolicyNotFoundError
from services.backups.store.tables import policy_runs
from services.backups.usecases.scheduled_backups import start_due_backups
from tests.unit.backups.platform import ADMIN, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, find_slot


async def test_the_backups_of_a_deleted_policy_stay(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    await start_due_backups(platform.dependencies, now=find_slot(policy))
    await platform.run_all()
    request = policy_pb2.DeleteBackupPolicyRequest(policy_id=policy.id)
    await platform.api.delete_backup_policy(request, call_of(ADMIN))
    [backup] = (await platform.list_backups()).backups
    assert (backup.status, backup.policy_id) == ("completed", policy.id)
    assert await platform.count(policy_runs) == 0
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 0


async def test_a_policy_that_is_not_there_is_refused(platform: Platform) -> None:
    request = policy_pb2.DeleteBackupPolicyRequest(policy_id=7)
    with pytest.raises(PolicyNotFoundError):
        await platform.api.delete_backup_policy(request, call_of(ADMIN))
