"""UpdateBackupPolicy: what is left out stays, new times count from the change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import (
    PoliciesOfUsersForbiddenError,
    PolicyInvalidError,
    PolicyNameTakenError,
    PolicyNotFoundError,
    RetentionInvalidError,
    ScheduleInvalidError,
)
from tests.fakes.apps import APP
from tests.unit.backups.platform import (
    ADMIN,
    OTHER_APP,
    OWNER,
    STRANGER,
    Platform,
    call_of,
    make_policy_request,
)


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


async def test_every_setting_of_a_policy_can_be_changed(platform: Platform) -> None:
    made = await platform.add_policy()
    changed = await update(
        platform,
        made.id,
        window_minutes=5,
        jitter_minutes=10,
        backup_type="stop",
        compression="gzip",
        storage="nas",
        second_storage="local",
        test_restore="weekly",
    )
    assert (changed.window_minutes, changed.jitter_minutes, changed.test_restore) == (5, 10, "weekly")
    assert (changed.backup_type, changed.compression) == ("stop", "gzip")
    assert (changed.storage, changed.second_storage) == ("nas", "local")
    cleared = await update(platform, made.id, storage="", second_storage="")
    assert (cleared.storage, cleared.second_storage) == ("", "")


async def test_naming_applies_to_replaces_the_whole_selection(platform: Platform) -> None:
    platform.add_app()
    made = await platform.add_policy(excluded_app_ids=[OTHER_APP.app_id], new_apps=True)
    kept = await update(platform, made.id, name="every-night")
    assert (list(kept.app_ids), list(kept.excluded_app_ids), kept.new_apps) == (
        [APP.app_id],
        [OTHER_APP.app_id],
        True,
    )
    everything = await update(platform, made.id, applies_to="all")
    assert (everything.applies_to, list(everything.app_ids)) == ("all", [])
    assert (list(everything.excluded_app_ids), everything.new_apps) == ([], False)
    owners = await update(platform, made.id, applies_to="owners", owner_ids=[OWNER.id])
    assert (owners.applies_to, list(owners.owner_ids)) == ("owners", [OWNER.id])


async def test_keeping_more_than_the_storage_allows_is_refused(platform: Platform) -> None:
    local, nas = platform.containers.storages[1]
    platform.containers.storages[1] = [local, replace(nas, max_archives=5)]
    made = await platform.add_policy(storage="nas")
    with pytest.raises(PolicyInvalidError, match="refuse a container's archive once there are 5"):
        await update(platform, made.id, keep_weekly=3)


async def test_other_users_policies_are_not_there(platform: Platform) -> None:
    await platform.allow_policies()
    made = await platform.api.create_backup_policy(make_policy_request(), call_of())
    request = policy_pb2.UpdateBackupPolicyRequest(policy_id=made.id, enabled=False)
    with pytest.raises(PolicyNotFoundError):
        await platform.api.update_backup_policy(request, call_of(STRANGER))
    assert not (await platform.api.update_backup_policy(request, call_of())).enabled
    assert (await update(platform, made.id, enabled=True)).owner_id == OWNER.id
    with pytest.raises(PolicyInvalidError, match="less than 1440 minutes apart"):
        await update(platform, made.id, schedule="hourly")


async def test_changes_at_the_same_time_are_all_stored(platform: Platform) -> None:
    made = await platform.add_policy()
    changes: list[dict[str, object]] = [{"keep_daily": 9}, {"enabled": False}, {"name": "every-night"}]
    await asyncio.gather(*(update(platform, made.id, **each) for each in changes))
    request = policy_pb2.GetBackupPolicyRequest(policy_id=made.id)
    stored = await platform.api.get_backup_policy(request, call_of(ADMIN))
    assert (stored.keep_daily, stored.enabled, stored.name) == (9, False, "every-night")


async def test_a_policy_beyond_lowered_limits_can_be_renamed_and_paused(platform: Platform) -> None:
    await platform.allow_policies()
    made = await platform.api.create_backup_policy(make_policy_request(keep_daily=5), call_of())
    await platform.allow_policies(max_kept=2)
    assert (await update(platform, made.id, name="every-night")).name == "every-night"
    with pytest.raises(PolicyInvalidError, match="at most 2 are allowed"):
        await update(platform, made.id, keep_daily=4)
    await platform.allow_policies(allowed=False)
    assert not (await update(platform, made.id, enabled=False)).enabled
    with pytest.raises(PoliciesOfUsersForbiddenError):
        await update(platform, made.id, enabled=True)


async def test_a_policy_whose_apps_were_deleted_can_be_paused(platform: Platform) -> None:
    made = await platform.add_policy()
    await platform.dependencies.policies.drop_apps(made.id, [APP.app_id])
    assert not (await update(platform, made.id, enabled=False)).enabled


async def test_a_policy_of_a_user_who_was_removed_can_be_changed(platform: Platform) -> None:
    made = await platform.add_policy(applies_to="owners", app_ids=[], owner_ids=[OWNER.id])
    platform.dependencies.users.known.discard(OWNER.id)  # type: ignore[attr-defined]
    assert (await update(platform, made.id, keep_daily=3)).keep_daily == 3
    with pytest.raises(PolicyInvalidError, match="there is no user 99"):
        await update(platform, made.id, owner_ids=[OWNER.id, 99])
