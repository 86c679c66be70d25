"""UpdateBackupPolicyLimits: what is left out stays, and policies of users do nothing while they are not allowed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from google.protobuf import empty_pb2
from proximity.backups.v1 import policy_pb2

from services.backups.store.tables import backups
from services.backups.usecases.scheduled_backups import remove_superfluous_backups, start_due_backups
from services.common.core.clock import now
from tests.unit.backups.platform import ADMIN, Platform, call_of, make_policy_request
from tests.unit.backups.policy_clock import age_policies, date_backup, find_slot


async def test_what_is_left_out_stays(platform: Platform) -> None:
    await platform.allow_policies(storages=["nas"], max_kept=7)
    changed = await platform.api.update_backup_policy_limits(
        policy_pb2.UpdateBackupPolicyLimitsRequest(max_policies=1), call_of(ADMIN)
    )
    assert (changed.allowed, changed.max_policies, changed.max_kept) == (True, 1, 7)
    assert list(changed.storages) == ["nas"]
    assert await platform.api.get_backup_policy_limits(empty_pb2.Empty(), call_of()) == changed


async def test_changes_at_the_same_time_are_all_stored(platform: Platform) -> None:
    changes: list[dict[str, object]] = [{"allowed": True}, {"max_kept": 7}, {"max_policies": 1}]
    requests = (policy_pb2.UpdateBackupPolicyLimitsRequest(**each) for each in changes)  # type: ignore[arg-type]
    await asyncio.gather(
        *(platform.api.update_backup_policy_limits(request, call_of(ADMIN)) for request in requests)
    )
    stored = await platform.api.get_backup_policy_limits(empty_pb2.Empty(), call_of())
    assert (stored.allowed, stored.max_kept, stored.max_policies) == (True, 7, 1)


async def test_a_star_allows_every_storage(platform: Platform) -> None:
    await platform.allow_policies(storages=["nas"])
    assert list((await platform.allow_policies(storages=["*"])).storages) == []


async def test_policies_that_are_not_allowed_any_more_do_nothing(platform: Platform) -> None:
    await platform.allow_policies()
    policy = await platform.api.create_backup_policy(make_policy_request(), call_of())
    await age_policies(platform)
    forbid = policy_pb2.UpdateBackupPolicyLimitsRequest(allowed=False)
    await platform.api.update_backup_policy_limits(forbid, call_of(ADMIN))
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 0
    request = policy_pb2.GetBackupPolicyRequest(policy_id=policy.id)
    shown = await platform.api.get_backup_policy(request, call_of())
    assert "not allowed now" in shown.paused_reason
    assert (shown.enabled, shown.HasField("next_run_at")) == (True, False)
    preview = policy_pb2.PreviewBackupPolicyRequest(policy_id=policy.id)
    assert list((await platform.api.preview_backup_policy(preview, call_of())).next_runs) == []
    await platform.allow_policies()
    assert not (await platform.api.get_backup_policy(request, call_of())).HasField("paused_reason")


async def test_policies_that_are_not_allowed_any_more_remove_nothing(platform: Platform) -> None:
    await platform.allow_policies()
    policy = await platform.api.create_backup_policy(make_policy_request(keep_daily=1), call_of())
    await age_policies(platform)
    made = [await platform.make_completed() for _ in range(2)]
    of_policy = backups.update().where(backups.c.id.in_(made)).values(policy_id=policy.id)
    await platform.db.write(lambda connection: connection.execute(of_policy))
    for number, backup_id in enumerate(made):
        await date_backup(platform, backup_id, created_at=now() - timedelta(days=1 - number))
    forbid = policy_pb2.UpdateBackupPolicyLimitsRequest(allowed=False)
    await platform.api.update_backup_policy_limits(forbid, call_of(ADMIN))
    assert await remove_superfluous_backups(platform.dependencies, now=now()) == 0
    await platform.allow_policies()
    assert await remove_superfluous_backups(platform.dependencies, now=now()) == 1
