"""PreviewNewBackupPolicy: settings that are not stored, alone and as a change of a policy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import PoliciesOfUsersForbiddenError, PolicyLimitError
from services.backups.store.tables import backups, policies
from services.common.core.clock import now
from services.common.core.errors import InvalidError
from services.common.identity.tokens import User
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OWNER, Platform, call_of, make_policy_request
from tests.unit.backups.policy_clock import age_policies, date_backup


async def preview(platform: Platform, user: User = ADMIN, **fields: Any) -> policy_pb2.BackupPolicyPreview:
    return await platform.api.preview_new_backup_policy(make_policy_request(**fields), call_of(user))


async def test_settings_are_previewed_and_nothing_is_stored(platform: Platform) -> None:
    shown = await preview(platform, time_zone="Asia/Kathmandu")
    assert shown.time_zone == "Asia/Kathmandu"
    assert [run[10:] for run in shown.next_runs] == ["T03:00:00+05:45"] * 5
    assert [(app.app_id, list(app.keeps), list(app.removes)) for app in shown.apps] == [(APP.app_id, [], [])]
    assert await platform.count(policies) == 0


async def test_under_the_name_of_a_policy_its_backups_are_judged_by_the_new_settings(
    platform: Platform,
) -> None:
    policy = await platform.add_policy(keep_daily=3)
    made = [await platform.make_completed() for _ in range(3)]
    for number, backup_id in enumerate(made):
        await date_backup(platform, backup_id, created_at=now() - timedelta(days=3 - number))
    of_policy = backups.update().where(backups.c.id.in_(made)).values(policy_id=policy.id)
    await platform.db.write(lambda connection: connection.execute(of_policy))
    [app] = (await preview(platform, keep_daily=1)).apps
    assert (list(app.keeps), list(app.removes)) == ([made[2]], made[:2])
    [other] = (await preview(platform, name="another", keep_daily=1)).apps
    assert (list(other.keeps), list(other.removes)) == ([], [])


async def test_as_many_policies_as_are_allowed_are_refused_in_the_same_words(platform: Platform) -> None:
    await platform.allow_policies(max_policies=1)
    fields: dict[str, Any] = {"app_ids": [APP.app_id]}
    await preview(platform, OWNER, **fields)
    await platform.api.create_backup_policy(make_policy_request(**fields), call_of(OWNER))
    await preview(platform, OWNER, **fields)  # a change of it
    fields["name"] = "second"
    with pytest.raises(PolicyLimitError) as refused:
        await platform.api.create_backup_policy(make_policy_request(**fields), call_of(OWNER))
    with pytest.raises(PolicyLimitError) as previewed:
        await preview(platform, OWNER, **fields)
    assert previewed.value.message == refused.value.message


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"schedule": "0 0 3 * * *"}, "schedule"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"keep_daily": 0}, "keep_last"),
        ({"app_ids": ["none-00000000"]}, "app_ids"),
    ],
)
async def test_what_could_not_be_stored_is_refused_at_its_field(
    platform: Platform, fields: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidError) as refusal:
        await preview(platform, **fields)
    assert any(one.field.startswith(place) for one in refusal.value.violations)


async def test_users_preview_what_they_may_have(platform: Platform) -> None:
    with pytest.raises(PoliciesOfUsersForbiddenError):
        await preview(platform, OWNER)


async def test_the_name_of_a_policy_of_another_owner_is_another_policy(platform: Platform) -> None:
    await platform.allow_policies()
    await platform.add_policy()
    made = await platform.make_completed()
    mark = backups.update().where(backups.c.id == made).values(policy_id=1)
    await platform.db.write(lambda connection: connection.execute(mark))
    await platform.api.create_backup_policy(make_policy_request(), call_of(OWNER))
    [app] = (await preview(platform)).apps
    assert list(app.keeps) == [made]
    [app] = (await preview(platform, OWNER)).apps
    assert list(app.keeps) == []


async def test_a_changed_schedule_is_overdue_for_nothing_before_the_change(platform: Platform) -> None:
    await platform.add_policy()
    await preview(platform)
    await age_policies(platform)
    assert (await preview(platform)).apps[0].HasField("overdue_since")
    assert not (await preview(platform, schedule="hourly")).apps[0].HasField("overdue_since")
