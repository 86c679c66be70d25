"""The work of policies: due backups once, one per node and app, retention after success, overdue ones announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.backups.store.policy_runs import BACKUP_OVERDUE
from services.backups.store.tables import policy_runs
from services.backups.usecases.list_overdue_backups import list_overdue_backups
from services.backups.usecases.scheduled_backups import (
    announce_overdue_backups,
    list_covered_apps,
    start_due_backups,
)
from services.clients.inventory.archive_values import RunningBackup
from services.common.core.clock import now
from services.common.db.database import Database
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
from tests.unit.backups.policy_clock import age_policies, find_slot


class CountingReads:
    """A database that counts the transactions of its readers and writers."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.count = 0

    async def read(self, function: Any) -> Any:
        self.count += 1
        return await self._db.read(function)

    async def write(self, function: Any) -> Any:
        self.count += 1
        return await self._db.write(function)


async def test_the_first_slot_has_a_run_also_when_the_worker_stood_still_at_the_beginning(
    platform: Platform,
) -> None:
    policy = await platform.add_policy()
    slot = find_slot(policy)
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(hours=1)) == 1


async def test_a_run_that_no_worker_ever_began_is_overdue(platform: Platform) -> None:
    policy = await platform.add_policy()
    late = find_slot(policy) + timedelta(hours=13)
    [overdue] = await list_overdue_backups(platform.dependencies.policies, now=late)
    assert (overdue.app_id, overdue.since) == (APP.app_id, find_slot(policy))


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
    assert current.settings.scope.app_ids == (OTHER_APP.app_id,), (
        "an app that is gone would be overdue for ever"
    )


async def test_a_disabled_policy_makes_nothing(platform: Platform) -> None:
    policy = await platform.add_policy(enabled=False)
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 0


async def test_an_overdue_backup_is_announced_once(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    late = find_slot(policy) + timedelta(hours=13)
    assert await announce_overdue_backups(platform.dependencies, now=late) == 1
    assert await announce_overdue_backups(platform.dependencies, now=late) == 0
    assert await platform.list_subjects() == [BACKUP_OVERDUE]
    assert await announce_overdue_backups(platform.dependencies, now=late + timedelta(days=1)) == 1


async def test_a_backup_that_somebody_else_makes_on_the_node_is_waited_for(platform: Platform) -> None:
    platform.add_app()
    policy = await platform.add_policy(app_ids=[APP.app_id, OTHER_APP.app_id])
    await age_policies(platform)
    slot = find_slot(policy)
    platform.containers.running_backups.append(RunningBackup("pve1", "UPID:1", 0, "root@pam"))
    assert await start_due_backups(platform.dependencies, now=slot) == 0
    runs = await platform.dependencies.policies.find_runs(policy.id)
    assert {run.waiting_for for run in runs.values()} == {
        "waiting for another backup on node pve1: root@pam backs up several guests"
    }
    assert (await platform.list_backups()).total == 0
    platform.containers.running_backups.clear()
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(minutes=1)) == 1
    runs = await platform.dependencies.policies.find_runs(policy.id)
    assert {app_id: run.waiting_for for app_id, run in runs.items()} == {
        OTHER_APP.app_id: "",
        APP.app_id: "waiting for the backup of db on node pve1",
    }


async def test_a_wait_that_lasts_too_long_ends_and_is_overdue(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    late = find_slot(policy) + timedelta(hours=13)
    platform.containers.running_backups.append(RunningBackup("pve1", "UPID:1", 105, "root@pam"))
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 0
    assert await start_due_backups(platform.dependencies, now=late) == 0
    assert (await platform.dependencies.policies.find_runs(policy.id))[APP.app_id].waiting_for == ""
    assert await announce_overdue_backups(platform.dependencies, now=late) == 1


async def test_a_host_that_does_not_answer_is_waited_for(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    platform.containers.broken["list_running_backups"] = 1
    slot = find_slot(policy)
    assert await start_due_backups(platform.dependencies, now=slot) == 0
    assert (await platform.dependencies.policies.find_runs(policy.id))[APP.app_id].waiting_for
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(minutes=1)) == 1


async def test_owners_all_and_new_apps_are_covered(platform: Platform) -> None:
    platform.add_app()
    nothing: dict[str, object] = {"app_ids": [], "keep_daily": 2}
    await platform.add_policy(name="of-owner", applies_to="owners", owner_ids=[OWNER.id], **nothing)
    await platform.add_policy(name="everything", applies_to="all", **nothing)
    await platform.add_policy(name="rest", applies_to="all", excluded_app_ids=[APP.app_id], **nothing)
    await platform.add_policy(name="newcomers", new_apps=True, **nothing)
    later = replace(
        APP, app_id="wiki-00000001", owner_id=STRANGER.id, created_at=now() + timedelta(minutes=1)
    )
    platform.apps.apps[later.app_id] = later
    covered = await list_covered_apps(platform.dependencies, now=now())
    found: dict[str, set[str]] = {}
    for one in covered:
        found.setdefault(one.policy.settings.name, set()).add(one.app.app_id)
    every = {APP.app_id, OTHER_APP.app_id, later.app_id}
    assert found == {
        "of-owner": {APP.app_id},
        "everything": every,
        "rest": every - {APP.app_id},
        "newcomers": {later.app_id},
    }


async def test_a_users_policy_for_all_covers_own_apps_alone(platform: Platform) -> None:
    platform.add_app()
    await platform.allow_policies()
    request = make_policy_request(applies_to="all", app_ids=[])
    await platform.api.create_backup_policy(request, call_of())
    covered = await list_covered_apps(platform.dependencies, now=now())
    assert [one.app.app_id for one in covered] == [APP.app_id]
    platform.apps.apps[APP.app_id] = replace(APP, owner_id=STRANGER.id)
    assert await list_covered_apps(platform.dependencies, now=now()) == []
    assert await platform.count(policy_runs) == 0, (
        "an app that comes back is not overdue for the time between"
    )


async def test_a_clock_that_is_set_back_makes_no_second_run(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    slot = find_slot(policy, days=1)
    assert await start_due_backups(platform.dependencies, now=slot) == 1
    await platform.run_all()
    for hours in (-24, -1, 0, 1):
        assert await start_due_backups(platform.dependencies, now=slot + timedelta(hours=hours)) == 0
    assert await start_due_backups(platform.dependencies, now=slot + timedelta(days=1)) == 1


async def test_a_run_of_an_app_that_is_deleted_meanwhile_ends_as_failed(platform: Platform) -> None:
    policy = await platform.add_policy()
    await age_policies(platform)
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 1
    await platform.remove_app()
    del platform.containers.containers[APP.vmid]
    await platform.run_all()
    [left] = await platform.list_all(ADMIN)
    assert (await platform.get(left, ADMIN)).status == "failed"
    assert platform.containers.archives == {}
    assert await start_due_backups(platform.dependencies, now=find_slot(policy, days=1)) == 0


async def test_the_tick_lists_all_apps_at_once(platform: Platform) -> None:
    for number in range(30):
        copy = replace(APP, app_id=f"web-{number:08d}", vmid=9100 + number)
        platform.apps.apps[copy.app_id] = copy
    await platform.add_policy(applies_to="all", app_ids=[])
    reads = CountingReads(platform.db)
    platform.dependencies.policies._db = reads  # type: ignore[attr-defined]  # counts what reaches the database
    await list_covered_apps(platform.dependencies, now=now())
    reads.count = 0
    platform.apps.listings = 0
    await start_due_backups(platform.dependencies, now=now())
    await announce_overdue_backups(platform.dependencies, now=now())
    assert (platform.apps.listings, reads.count <= 8) == (2, True), f"{reads.count} queries for 31 apps"


async def test_a_node_that_is_too_slow_leaves_out_another_app_each_time(platform: Platform) -> None:
    platform.add_app()
    policy = await platform.add_policy(app_ids=[APP.app_id, OTHER_APP.app_id])
    await age_policies(platform)
    made = []
    for night in range(3):  # one backup in each, as if it took until the next one is nearer
        assert await start_due_backups(platform.dependencies, now=find_slot(policy, days=night)) == 1
        await platform.run_all()
        newest = max(await platform.list_all(ADMIN))
        made.append(newest in await platform.list_all(ADMIN, app_id=APP.app_id))
    assert made in ([True, False, True], [False, True, False])


async def test_a_failed_backup_whose_cleanup_waits_does_not_occupy_its_node(platform: Platform) -> None:
    platform.containers.failing.add("vzdump")
    platform.containers.silent_storages = {"local", "nas"}
    await platform.make_completed()
    platform.containers.failing.clear()
    platform.add_app()
    policy = await platform.add_policy(app_ids=[OTHER_APP.app_id])
    assert await start_due_backups(platform.dependencies, now=find_slot(policy)) == 1
