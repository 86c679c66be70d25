"""Restore tests: what counts as down or different, when they run, and the removal of what a crash left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.entities import Backup, BackupOrder, BackupStatus
from services.backups.domain.policies import RestoreTesting
from services.backups.domain.restore_tests import (
    QuietHours,
    RecordedApp,
    RestoreTest,
    RestoreTestStatus,
    find_differences,
    find_down,
    parse_hours,
)
from services.backups.domain.retention import Mark
from services.backups.usecases.preview_backup_policy import mark_backups
from services.backups.usecases.restore_tests import choose_backup, remove_stale_tests
from services.clients.apps.values import AppProbeTarget
from services.clients.inventory.restore_tests import Contents, DockerContainer
from services.clients.inventory.values import Ref
from tests.fakes.apps import APP
from tests.unit.backups.platform import Platform, call_of, make_policy_request

NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
WEB = DockerContainer(name="web", image="nginx:1.27", image_id="sha256:aa", state="running")
JOB = DockerContainer(name="setup", image="busybox:1", image_id="sha256:bb", state="exited")
SHOP = Contents(
    has_docker=True,
    docker_answers=True,
    containers=(JOB, WEB),
    images=("sha256:aa", "sha256:bb"),
    folders=(("/srv/photos", 9), ("cache", 0), ("data", 12)),
)


@pytest.mark.parametrize(
    ("found", "recorded", "problems"),
    [
        (SHOP, SHOP, []),
        (replace(SHOP, containers=(WEB,)), SHOP, []),  # a job that had ended is not missed
        (replace(SHOP, containers=(JOB,)), SHOP, ["container web is missing"]),
        (
            replace(SHOP, containers=(JOB, replace(WEB, state="exited", exit_code=137))),
            SHOP,
            ["container web is exited with code 137"],
        ),
        (
            replace(SHOP, containers=(replace(WEB, state="restarting"),)),
            SHOP,
            ["container web is restarting"],
        ),
        (replace(SHOP, containers=(replace(WEB, state="created"),)), SHOP, ["container web is created"]),
        (replace(SHOP, docker_answers=False, containers=()), SHOP, ["Docker does not answer"]),
        (Contents(), SHOP, ["Docker does not answer"]),
        (Contents(), Contents(), []),
        (Contents(), None, []),
        (SHOP, None, []),
        (
            replace(SHOP, containers=(replace(JOB, exit_code=1),)),
            None,
            ["container setup is exited with code 1"],
        ),
        (replace(SHOP, containers=(replace(WEB, state="dead"),)), None, ["container web is dead"]),
    ],
)
def test_the_containers_that_ran_are_to_run(
    found: Contents, recorded: Contents | None, problems: list[str]
) -> None:
    assert find_down(found, recorded) == problems


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (SHOP, []),
        (replace(SHOP, folders=(("/srv/photos", 1), ("data", 13))), []),
        (replace(SHOP, images=("sha256:bb",)), ["image nginx:1.27 of container web is missing"]),
        (
            replace(SHOP, folders=(("/srv/photos", 9), ("data", 0))),
            ["volume data is empty; it had 12 entries"],
        ),
        (replace(SHOP, folders=(("/srv/photos", 9),)), ["volume data is missing; it had 12 entries"]),
        (replace(SHOP, folders=(("data", 12),)), ["volume /srv/photos is missing; it had 9 entries"]),
    ],
)
def test_images_and_volumes_are_compared(found: Contents, problems: list[str]) -> None:
    assert find_differences(found, SHOP) == problems


def test_volumes_that_are_not_in_the_archive_are_not_compared() -> None:
    found = replace(SHOP, folders=(("data", 12),))
    assert find_differences(found, SHOP, left_out=["mp0 (/srv/photos, 50 GB on tank)"]) == []


def test_what_was_recorded_is_read_as_it_was_written() -> None:
    probe = AppProbeTarget(scheme="http", port=80, path="/", grace_s=60)
    app = RecordedApp.of_app(replace(APP, runtime="compose", probe=probe), SHOP)
    assert RecordedApp.from_json(app.to_json()) == app
    assert RecordedApp.from_json(None) is None
    bare = RecordedApp.of_app(APP)
    assert RecordedApp.from_json(bare.to_json()) == bare


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("00:00-06:00", ["23:00", "04:59"], ["05:00", "12:00"]),
        ("22:00-06:00", ["21:00", "04:00"], ["05:00", "20:59"]),
        ("00:00-00:00", ["00:00", "12:00"], []),
    ],
)
def test_quiet_hours_are_those_of_the_time_zone(text: str, inside: list[str], outside: list[str]) -> None:
    hours, rome = parse_hours(text), ZoneInfo("Europe/Rome")
    for utc, expected in [*((one, True) for one in inside), *((one, False) for one in outside)]:
        moment = datetime.combine(NOW.date(), time.fromisoformat(utc), UTC)
        assert hours.contain(moment, rome) is expected, utc


@pytest.mark.parametrize("text", ["", "22", "22:00", "22:00-25:00", "night"])
def test_hours_that_are_no_span_of_the_day_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-06:00"):
        parse_hours(text)


def make_backup(number: int, *, ended: timedelta | None = None, status: str = "untested") -> Backup:
    test = RestoreTest(status=RestoreTestStatus(status), ended_at=None if ended is None else NOW - ended)
    made = NOW - timedelta(days=10 - number)
    return Backup(
        id=number,
        app_id=APP.app_id,
        owner_id=APP.owner_id,
        host_id=1,
        vmid=9001,
        order=BackupOrder(),
        mark=str(number),
        status=BackupStatus.COMPLETED,
        created_at=made,
        updated_at=made,
        restore_test=test,
        policy_id=1,
    )


NEW, TESTED = make_backup(3), make_backup(2, ended=timedelta(days=1), status="passed")
LONG_AGO = make_backup(1, ended=timedelta(days=8), status="failed")


@pytest.mark.parametrize(
    ("frequency", "backups", "chosen"),
    [
        ("never", [NEW], None),
        ("each", [NEW, TESTED], 3),
        ("each", [TESTED], None),
        ("each", [TESTED, make_backup(1)], 1),
        ("weekly", [NEW, TESTED], None),
        ("weekly", [NEW, LONG_AGO], 3),
        ("weekly", [NEW], 3),
        ("weekly", [TESTED, NEW], None),
        ("weekly", [], None),
        ("each", [make_backup(3, ended=timedelta(hours=1))], None),  # it could not be tested an hour ago
        ("each", [make_backup(3, ended=timedelta(hours=7))], 3),
        ("each", [make_backup(4), make_backup(3, status="running")], None),
    ],
)
def test_each_backup_or_one_a_week_is_tested(
    frequency: str, backups: list[Backup], chosen: int | None
) -> None:
    found = choose_backup(RestoreTesting(frequency), backups, now=NOW)
    assert (found.id if found else None) == chosen


async def test_retention_keeps_the_newest_backup_that_passed_its_test(platform: Platform) -> None:
    made = await platform.add_policy(keep_last=1, keep_daily=0)
    policy = await platform.dependencies.policies.get_policy(made.id)
    passed = replace(make_backup(2), restore_test=RestoreTest(status=RestoreTestStatus.PASSED))
    older = replace(make_backup(1), restore_test=RestoreTest(status=RestoreTestStatus.PASSED))
    failed = replace(make_backup(4), restore_test=RestoreTest(status=RestoreTestStatus.FAILED))
    marks = mark_backups(policy, [failed, make_backup(3), passed, older])
    assert marks == {4: Mark.KEEP, 3: Mark.REMOVE, 2: Mark.KEEP, 1: Mark.REMOVE}
    assert make_policy_request().keep_daily


async def test_the_container_of_a_test_that_ended_is_destroyed_and_no_other(platform: Platform) -> None:
    containers = platform.containers
    for owner, vmid in (("restore-test:old", 9100), ("restore-test:gone", 9101), ("web-99999999", 9102)):
        containers.reserved[owner] = vmid
    containers.add_container(Ref(1, 9100, "pve1"), owner="restore-test:old", status="running")
    containers.add_container(Ref(1, 9102, "pve1"), owner="web-99999999", status="running")
    containers.add_container(Ref(1, 9103, "pve1"), owner="restore-test:elsewhere", status="running")
    assert await remove_stale_tests(platform.dependencies) == 2
    assert {9102, 9103} <= set(containers.containers)
    assert 9100 not in containers.containers
    assert containers.reserved == {"web-99999999": 9102}


async def test_a_container_under_a_tests_id_that_is_somebody_elses_is_left_alone(platform: Platform) -> None:
    platform.containers.reserved["restore-test:old"] = 9100
    platform.containers.add_container(Ref(1, 9100, "pve1"), owner="", status="running")
    assert await remove_stale_tests(platform.dependencies) == 1
    assert 9100 in platform.containers.containers
    assert platform.containers.reserved == {}


def test_hours_go_over_midnight() -> None:
    hours = QuietHours(time(23), time(1))
    assert hours.contain(datetime(2026, 1, 1, 0, 30, tzinfo=UTC), ZoneInfo("UTC"))


async def test_a_test_that_takes_almost_an_hour_is_ended(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    request = pb.TestBackupRequest(app_id=APP.app_id, backup_id=backup_id)
    call = call_of()
    await platform.api.test_backup(request, call)
    owner = f"restore-test:{call.request_id}"
    vmid = await platform.containers.reserve_vmid(1, owner)
    platform.containers.add_container(Ref(1, vmid, "pve1"), owner=owner, status="running")
    assert await remove_stale_tests(platform.dependencies) == 0, "it is under way"
    platform.containers.ages[owner] = 56 * 60
    assert await remove_stale_tests(platform.dependencies) == 1
    assert vmid not in platform.containers.containers
