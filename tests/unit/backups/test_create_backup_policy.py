"""CreateBackupPolicy: defaults, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.backups.domain import policies as domain
from services.backups.domain.errors import (
    PolicyHostsError,
    PolicyInvalidError,
    PolicyLimitError,
    PolicyNameTakenError,
    RetentionInvalidError,
    ScheduleInvalidError,
)
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OTHER_APP, Platform, call_of, make_policy_request


async def test_a_policy_is_stored_with_its_defaults(platform: Platform) -> None:
    call = call_of(ADMIN)
    request = make_policy_request(time_zone="", app_ids=[APP.app_id, APP.app_id])
    request.ClearField("window_minutes")
    policy = await platform.api.create_backup_policy(request, call)
    assert ("location", f"/api/backups/policies/{policy.id}") in call.headers
    assert (policy.time_zone, policy.window_minutes, policy.enabled) == ("UTC", 15, True)
    assert (policy.backup_type, policy.compression, policy.storage) == ("snapshot", "zstd", "")
    assert (list(policy.app_ids), policy.keep_daily, policy.keep_last) == ([APP.app_id], 2, 0)
    assert policy.next_run_at.ToDatetime().hour == 3


async def test_a_disabled_policy_has_no_next_run(platform: Platform) -> None:
    assert not (await platform.add_policy(enabled=False)).HasField("next_run_at")


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"schedule": "0 0 3 * * *"}, ScheduleInvalidError, "6 fields"),
        ({"schedule": "0 3 31 2 *"}, ScheduleInvalidError, "dates exist"),
        ({"time_zone": "Mars/Olympus"}, ScheduleInvalidError, "'Mars/Olympus' is not an IANA time zone"),
        ({"keep_daily": 0}, RetentionInvalidError, "would keep nothing"),
        ({"app_ids": []}, PolicyInvalidError, "at least one app"),
        ({"app_ids": ["none-00000000"]}, PolicyInvalidError, "there is no app 'none-00000000'"),
    ],
)
async def test_what_could_not_be_carried_out_is_refused(
    platform: Platform, fields: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await platform.add_policy(**fields)
    assert await platform.dependencies.policies.list_policies() == []


async def test_a_storage_is_not_named_for_apps_of_several_hosts(platform: Platform) -> None:
    platform.apps.apps[OTHER_APP.app_id] = replace(OTHER_APP, host_id=2)
    both = [APP.app_id, OTHER_APP.app_id]
    with pytest.raises(PolicyHostsError, match=r"storage 'nas' .* hosts 1, 2"):
        await platform.add_policy(app_ids=both, storage="nas")
    assert (await platform.add_policy(app_ids=both)).id


async def test_a_name_is_taken_once(platform: Platform) -> None:
    await platform.add_policy()
    with pytest.raises(PolicyNameTakenError, match="nightly"):
        await platform.add_policy()


async def test_the_number_of_policies_is_limited(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.backups.store.policies.MAX_POLICIES", 1)
    assert domain.MAX_POLICIES > 1
    await platform.add_policy()
    with pytest.raises(PolicyLimitError, match="there are 1 policies"):
        await platform.add_policy(name="hourly")
