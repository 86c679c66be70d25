"""CheckBackup: the archive is read on its node, by request and for policies, and the outcome is on the backup."""

from __future__ import annotations

import dataclasses
from datetime import time, timedelta

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.archive_checks import (
    ArchiveCheck,
    ArchiveCheckStatus,
    VerifyFrequency,
    choose_unverified,
)
from services.backups.domain.entities import Backup, BackupOrder, BackupStatus
from services.backups.domain.errors import ArchiveGoneError, BackupInUseError, BackupNotFoundError
from services.backups.domain.restore_tests import QuietHours, RestoreTestOptions
from services.backups.store.tables import backups
from services.backups.usecases.check_backup import start_due_checks
from services.backups.usecases.scheduled_backups import start_due_backups
from services.clients.inventory.archive_values import ArchiveCheckOutcome
from services.common.core.clock import now
from tests.fakes.apps import APP
from tests.unit.backups.platform import STRANGER, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, find_slot


async def check(platform: Platform, backup_id: int) -> None:
    await platform.api.check_backup(pb.CheckBackupRequest(app_id=APP.app_id, backup_id=backup_id), call_of())


async def test_the_outcome_of_a_check_is_on_the_backup(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    assert (await platform.get(backup_id)).archive_check.status == "unchecked"
    await check(platform, backup_id)
    assert (await platform.get(backup_id)).archive_check.status == "running"
    with pytest.raises(BackupInUseError, match="is being checked"):
        await check(platform, backup_id)
    await platform.run_all()
    found = (await platform.get(backup_id)).archive_check
    assert (found.status, found.node, found.message) == ("intact", "pve1", "")
    assert found.ended_at.ToDatetime() >= found.started_at.ToDatetime()
    assert platform.apps.locks == {}, "the app is not locked"


async def test_a_check_whose_operation_has_not_ended_yet_is_not_begun_again(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await check(platform, backup_id)
    # The worker records the outcome before it ends the operation.
    await platform.db.write(
        lambda one: one.execute(backups.update().values(archive_check={"status": "intact"}))
    )
    with pytest.raises(BackupInUseError, match="is being checked"):
        await check(platform, backup_id)


@pytest.mark.parametrize(("status", "reason"), [("broken", "Unexpected EOF"), ("not_checked", "no SSH")])
async def test_a_broken_archive_and_a_host_without_ssh_say_so(
    platform: Platform, status: str, reason: str
) -> None:
    backup_id = await platform.make_completed()
    platform.containers.check = ArchiveCheckOutcome(status=status, reason=reason)
    await check(platform, backup_id)
    await platform.run_all()
    backup = await platform.get(backup_id)
    assert (backup.archive_check.status, backup.archive_check.message) == (status, reason)
    assert backup.status == "completed", "a check changes nothing else of the backup"


async def test_an_archive_that_goes_while_it_waits_is_not_broken(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await check(platform, backup_id)
    platform.containers.archives.clear()
    await platform.run_all()
    found = (await platform.get(backup_id)).archive_check
    assert found.status == "not_checked"
    assert "there is no archive" in found.message


async def test_what_has_no_archive_is_refused(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    request = pb.CheckBackupRequest(app_id=APP.app_id, backup_id=backup_id)
    with pytest.raises(BackupNotFoundError):
        await platform.api.check_backup(request, call_of(STRANGER))
    await platform.store.note_presence([backup_id], present=False, error="it was pruned")
    with pytest.raises(ArchiveGoneError):
        await check(platform, backup_id)


async def test_policies_have_their_archives_checked(platform: Platform) -> None:
    policy = await platform.add_policy(verify="each")
    assert policy.verify == "each"
    await age_policies(platform)
    await start_due_backups(platform.dependencies, now=find_slot(policy))
    await platform.run_all()
    (backup_id,) = await platform.list_all()
    always = RestoreTestOptions(hours=QuietHours(time(0), time(0)))
    dependencies = dataclasses.replace(platform.dependencies, test_options=always)
    assert await start_due_checks(dependencies, now=now()) == 1
    assert await start_due_checks(dependencies, now=now()) == 0, "it is being checked"
    await platform.run_all()
    assert (await platform.get(backup_id)).archive_check.status == "intact"
    assert await start_due_checks(dependencies, now=now()) == 0


def make_checked(number: int) -> Backup:
    return Backup(
        id=number,
        app_id=APP.app_id,
        owner_id=APP.owner_id,
        host_id=1,
        vmid=9001,
        order=BackupOrder(),
        mark=str(number),
        status=BackupStatus.COMPLETED,
        created_at=now(),
        updated_at=now(),
    )


def test_the_frequency_chooses_the_archive() -> None:
    current = now()
    old, new = make_checked(1), make_checked(2)

    def checked(status: ArchiveCheckStatus, *, ago: timedelta) -> ArchiveCheck:
        return ArchiveCheck(status=status, started_at=current - ago, ended_at=current - ago)

    day, week = timedelta(days=2), timedelta(days=8)
    intact_lately = dataclasses.replace(old, archive_check=checked(ArchiveCheckStatus.INTACT, ago=day))
    intact_once = dataclasses.replace(old, archive_check=checked(ArchiveCheckStatus.INTACT, ago=week))
    tried = dataclasses.replace(
        new, archive_check=checked(ArchiveCheckStatus.NOT_CHECKED, ago=timedelta(hours=1))
    )
    verified = dataclasses.replace(new, verification="ok")
    each, weekly = VerifyFrequency.EACH, VerifyFrequency.WEEKLY
    assert choose_unverified(VerifyFrequency.NEVER, [new, old], now=current) is None
    assert choose_unverified(each, [new, old], now=current) == new
    assert choose_unverified(each, [verified, old], now=current) == old
    assert choose_unverified(each, [tried, old], now=current) is None, "tried an hour ago"
    assert choose_unverified(weekly, [new, intact_lately], now=current) is None
    assert choose_unverified(weekly, [new, intact_once], now=current) == new
