"""CreateBackupPolicy: defaults, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.backups.domain import policies as domain
from services.backups.domain.errors import (
    PoliciesOfUsersForbiddenError,
    PolicyHostSilentError,
    PolicyInvalidError,
    PolicyLimitError,
    PolicyNameTakenError,
    RetentionInvalidError,
    ScheduleInvalidError,
)
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, OTHER_APP, OWNER, Platform, call_of, make_policy_request


async def test_a_policy_is_stored_with_its_defaults(platform: Platform) -> None:
    call = call_of(ADMIN)
    request = make_policy_request(time_zone="", app_ids=[APP.app_id, APP.app_id])
    request.ClearField("window_minutes")
    policy = await platform.api.create_backup_policy(request, call)
    assert ("location", f"/api/backup-policies/{policy.id}") in call.headers
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


async def test_a_storage_of_several_hosts_is_one_that_all_have(platform: Platform) -> None:
    platform.apps.apps[OTHER_APP.app_id] = replace(OTHER_APP, host_id=2)
    both = [APP.app_id, OTHER_APP.app_id]
    with pytest.raises(
        PolicyInvalidError,
        match=r"storage: .*host 2, which runs db-0a1b2c3d, has no storage 'nas'; name one .*local",
    ) as refused:
        await platform.add_policy(app_ids=both, storage="nas")
    assert refused.value.violations[0].field == "storage"
    assert (await platform.add_policy(app_ids=both, storage="local")).id
    assert (await platform.add_policy(name="anywhere", app_ids=both)).id


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"takes_backups": False}, "does not take backups; add the content type backup"),
        ({"available": False}, "is not available on the node pve1"),
        ({"used": 1e12 - 5e8}, r"is full: 0.5 of 931.3 GiB are free"),
        ({"max_archives": 3}, r"refuse a container's archive once there are 3, and the policy keeps up to 7"),
        (
            {"node": "pve2"},
            "the node pve1 of Proxmox host 1, which runs web-0a1b2c3d, does not have the storage 'nas'",
        ),
        ({"name": "gone"}, "host 1, which runs web-0a1b2c3d, has no storage 'nas'"),
    ],
)
@pytest.mark.parametrize("field", ["storage", "second_storage"])
async def test_a_storage_that_cannot_take_the_backups_is_refused(
    platform: Platform, field: str, change: dict[str, object], problem: str
) -> None:
    local, nas = platform.containers.storages[1]
    platform.containers.storages[1] = [local, replace(nas, **change)]  # type: ignore[arg-type]
    with pytest.raises(PolicyInvalidError, match=f"{field}: .*{problem}") as refused:
        await platform.add_policy(keep_daily=7, **{field: "nas"})
    assert refused.value.violations[0].field == field


async def test_a_limit_above_what_is_kept_is_none(platform: Platform) -> None:
    local, nas = platform.containers.storages[1]
    platform.containers.storages[1] = [local, replace(nas, max_archives=8)]
    assert (await platform.add_policy(keep_daily=7, storage="nas")).storage == "nas"


async def test_one_storage_is_not_named_twice(platform: Platform) -> None:
    with pytest.raises(PolicyInvalidError, match="second_storage: 'nas' is the first storage as well"):
        await platform.add_policy(storage="nas", second_storage="nas")


async def test_a_host_without_storages_for_backups_is_refused(platform: Platform) -> None:
    platform.containers.storages[1] = [
        replace(one, takes_backups=False) for one in platform.containers.storages[1]
    ]
    with pytest.raises(
        PolicyInvalidError, match=r"app_ids: the node pve1 .* has no storage that takes backups"
    ):
        await platform.add_policy()


@pytest.mark.parametrize(("fields", "field"), [({}, "app_ids"), ({"storage": "nas"}, "storage")])
async def test_a_host_that_does_not_answer_is_named(
    platform: Platform, fields: dict[str, object], field: str
) -> None:
    platform.containers.broken["list_backup_storages"] = 1
    with pytest.raises(
        PolicyHostSilentError, match=f"{field}: the Proxmox host 1 .* does not answer"
    ) as refused:
        await platform.add_policy(**fields)
    assert refused.value.violations[0].field == field
    assert await platform.dependencies.policies.list_policies() == []


async def test_a_policy_for_all_apps_needs_no_host_that_answers(platform: Platform) -> None:
    platform.containers.broken["list_backup_storages"] = 1
    assert (await platform.add_policy(applies_to="all", app_ids=[])).applies_to == "all"


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"applies_to": "all"}, "app_ids", "set applies_to to apps"),
        ({"applies_to": "owners", "app_ids": []}, "owner_ids", "names none"),
        ({"owner_ids": [7]}, "owner_ids", "set applies_to to owners"),
        ({"applies_to": "owners", "app_ids": [], "owner_ids": [99]}, "owner_ids", "there is no user 99"),
        ({"excluded_app_ids": [APP.app_id]}, "excluded_app_ids", "is in app_ids as well"),
        ({"excluded_app_ids": ["none-00000000"]}, "excluded_app_ids", "there is no app 'none-00000000'"),
    ],
)
async def test_a_selection_that_contradicts_itself_is_refused(
    platform: Platform, fields: dict[str, object], field: str, problem: str
) -> None:
    with pytest.raises(PolicyInvalidError, match=problem) as refused:
        await platform.add_policy(**fields)
    assert refused.value.violations[0].field == field


async def test_a_window_longer_than_the_interval_is_refused(platform: Platform) -> None:
    with pytest.raises(ScheduleInvalidError, match=r"window_minutes: .* two runs can be 60 minutes apart"):
        await platform.add_policy(schedule="hourly", window_minutes=61)
    with pytest.raises(
        ScheduleInvalidError, match="jitter_minutes: window and jitter are 70 minutes together"
    ):
        await platform.add_policy(schedule="hourly", window_minutes=40, jitter_minutes=30)


async def test_users_have_no_policies_unless_an_administrator_allows_them(platform: Platform) -> None:
    with pytest.raises(PoliciesOfUsersForbiddenError, match="administrators have not allowed"):
        await platform.api.create_backup_policy(make_policy_request(), call_of())
    await platform.allow_policies()
    policy = await platform.api.create_backup_policy(make_policy_request(), call_of())
    assert policy.owner_id == OWNER.id
    assert (await platform.add_policy()).HasField("owner_id") is False, "names are unique for each owner"


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"app_ids": [OTHER_APP.app_id]}, "app_ids", "there is no app 'db-0a1b2c3d'"),
        ({"schedule": "hourly"}, "schedule", "less than 1440 minutes apart"),
        ({"keep_daily": 31}, "keep_last", "keeps up to 31 backups of an app; at most 30 are allowed"),
        ({"storage": "local"}, "storage", "'local' is not allowed; use nas"),
        ({"second_storage": "local"}, "second_storage", "'local' is not allowed"),
        ({"applies_to": "owners", "app_ids": [], "owner_ids": [7]}, "applies_to", "only administrators"),
    ],
)
async def test_policies_of_users_are_for_own_apps_within_the_limits(
    platform: Platform, fields: dict[str, object], field: str, problem: str
) -> None:
    platform.add_app()
    await platform.allow_policies(storages=["nas"])
    with pytest.raises(PolicyInvalidError, match=problem) as refused:
        await platform.api.create_backup_policy(make_policy_request(**fields), call_of())
    assert refused.value.violations[0].field == field


async def test_a_user_has_as_many_policies_as_are_allowed(platform: Platform) -> None:
    await platform.allow_policies(max_policies=1)
    await platform.api.create_backup_policy(make_policy_request(), call_of())
    with pytest.raises(PolicyLimitError, match="you have 1 policies"):
        await platform.api.create_backup_policy(make_policy_request(name="other"), call_of())
    assert (await platform.add_policy()).id


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
