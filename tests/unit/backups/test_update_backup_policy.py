"""UpdateBackupPolicy: what is left out stays, new times count from the change."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import (
    PolicyInvalidError,
    PolicyNameTakenError,
    PolicyNotFoundError,
    RetentionInvalidError,
    ScheduleInvalidError,
)
from tests.unit.backups.platform import ADMIN, Platform, call_of


async def update(platform: Platform, policy_id: int, **fields: object) -> policy_pb2.BackupPolicy:
    request = policy_pb2.UpdateBackupPolicyRequest(policy_id=policy_id, **fields)  # type: ignore[arg-type]
    return await platform.api.update_backup_policy(request, call_of(ADMIN))


async def test_what_is_left_out_stays(platform: Platform) -> None:
    made = await platform.add_policy(storage="nas")
    changed = await update(platform, made.id, keep_daily=0, keep_weekly=4, enabled=False)
    assert (changed.keep_daily, changed.keep_weekly, changed.enabled) == (0, 4, False)
    assert (changed.name, changed.schedule, changed.storage) == ("nightly", "0 3 * * *", "nas")
    assert list(changed.app_ids) == list(made.app_ids)


async def test_new_times_count_from_the_change_and_a_new_name_does_not(platform: Platform) -> None:
    made = await platform.add_policy()
    policies = platform.dependencies.policies
    before = await policies.get_policy(made.id)
    await update(platform, made.id, name="every-night")
    assert (await policies.get_policy(made.id)).applies_since == before.applies_since
    await update(platform, made.id, schedule="hourly")
    assert (await policies.get_policy(made.id)).applies_since > before.applies_since


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"schedule": "0 0 3 * * *"}, ScheduleInvalidError),
        ({"time_zone": "+02:00"}, ScheduleInvalidError),
        ({"keep_daily": 0}, RetentionInvalidError),
        ({"app_ids": ["none-00000000"]}, PolicyInvalidError),
        ({"name": "weekly"}, PolicyNameTakenError),
    ],
)
async def test_a_refused_change_changes_nothing(
    platform: Platform, fields: dict[str, object], error: type[Exception]
) -> None:
    made = await platform.add_policy()
    await platform.add_policy(name="weekly")
    with pytest.raises(error):
        await update(platform, made.id, **fields)
    request = policy_pb2.GetBackupPolicyRequest(policy_id=made.id)
    assert await platform.api.get_backup_policy(request, call_of(ADMIN)) == made


async def test_a_policy_that_is_not_there_is_refused(platform: Platform) -> None:
    with pytest.raises(PolicyNotFoundError):
        await update(platform, 7, enabled=False)
