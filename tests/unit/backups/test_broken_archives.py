"""Backups whose archive a check or a Proxmox Backup Server found broken: announced, and good for nothing else."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
import sqlalchemy as sa
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.backups.v1 import events_pb2

from services.backups.domain.entities import VERIFICATION_REASON
from services.backups.domain.errors import BackupNotCompletedError
from services.backups.domain.interfaces import BackupKey
from services.backups.store.announcements import BACKUP_BROKEN
from services.backups.store.tables import backups, outbox
from services.backups.usecases.missing_archives import note_missing_archives
from services.backups.usecases.scheduled_backups import remove_superfluous_backups
from services.clients.inventory.archive_values import ArchiveCheckOutcome
from services.common.core.clock import now
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, Platform, call_of
from tests.unit.backups.policy_clock import age_policies, date_backup, find_slot


async def check(platform: Platform, backup_id: int, status: str = "broken") -> None:
    platform.containers.check = ArchiveCheckOutcome(status=status, reason="Unexpected EOF")
    await platform.api.check_backup(pb.CheckBackupRequest(app_id=APP.app_id, backup_id=backup_id), call_of())
    await platform.run_all()


async def verify(platform: Platform, backup_id: int, state: str) -> None:
    """Have the Proxmox Backup Server say what it found, and read that."""
    volume_id = (await platform.store.get_backup(BackupKey(APP.app_id, backup_id, None))).volume_id
    packed = platform.containers.archives[volume_id]
    assert packed.listing is not None
    listing = dataclasses.replace(packed.listing, verification=state)
    platform.containers.archives[volume_id] = dataclasses.replace(packed, listing=listing)
    await note_missing_archives(platform.store, platform.containers)


async def list_announced(platform: Platform) -> list[tuple[int, str, str]]:
    query = sa.select(outbox.c.payload).where(outbox.c.subject == BACKUP_BROKEN).order_by(outbox.c.id)
    payloads = await platform.db.read(lambda connection: connection.execute(query).scalars().all())
    events = [events_pb2.BackupBroken.FromString(payload) for payload in payloads]
    return [(event.backup_id, event.app_id, event.reason) for event in events]


async def count(platform: Platform) -> pb.AppBackups:
    request = pb.CountBackupsRequest(app_ids=[APP.app_id])
    (answer,) = (await platform.internal.count_backups(request, call_of())).apps
    return answer


async def test_a_check_that_finds_an_archive_broken_announces_it(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    for status in ("intact", "not_checked"):
        await check(platform, backup_id, status)
    assert await list_announced(platform) == []
    await check(platform, backup_id)
    assert await list_announced(platform) == [(backup_id, APP.app_id, "Unexpected EOF")]
    request = pb.PreviewRestoreRequest(app_id=APP.app_id, backup_id=backup_id)
    assert (await platform.api.preview_restore(request, call_of())).archive_check == "broken"


async def test_a_failed_verification_is_announced_once(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    await verify(platform, backup_id, "ok")
    for _ in range(2):
        await verify(platform, backup_id, "failed")
    assert await list_announced(platform) == [(backup_id, APP.app_id, VERIFICATION_REASON)]
    await platform.store.note_verification(backup_id, "failed", encrypted=True)  # another replica read it too
    assert len(await list_announced(platform)) == 1


@pytest.mark.parametrize("find", ["check", "verification"])
async def test_the_last_backup_of_an_app_is_the_newest_good_one(platform: Platform, find: str) -> None:
    good, broken = await platform.make_completed(), await platform.make_completed()
    await (check(platform, broken) if find == "check" else verify(platform, broken, "failed"))
    answer = await count(platform)
    assert (answer.last_id, answer.completed, answer.total) == (good, 1, 2)
    await check(platform, good)
    assert not (await count(platform)).HasField("last_id")
    await check(platform, good, "intact")
    assert (await count(platform)).last_id == good


async def test_an_export_without_a_number_takes_the_newest_good_one(platform: Platform) -> None:
    good, broken = await platform.make_completed(), await platform.make_completed()
    await check(platform, broken)
    request = pb.FindExportableBackupRequest(app_id=APP.app_id)
    assert (await platform.internal.find_exportable_backup(request, call_of())).backup.id == good


async def test_the_backup_of_an_update_says_that_it_is_broken(platform: Platform) -> None:
    backup_id = await platform.make_completed()
    mark = (await platform.store.get_backup(BackupKey(APP.app_id, backup_id, None))).mark
    request = pb.GetHeldBackupRequest(operation_id=mark)
    assert not (await platform.internal.get_held_backup(request, call_of())).broken
    await check(platform, backup_id)
    assert (await platform.internal.get_held_backup(request, call_of())).broken


async def make_nights(platform: Platform, number: int) -> list[int]:
    """Make a backup of a policy that keeps one, in each of some nights."""
    policy = await platform.add_policy(keep_daily=1)
    await age_policies(platform)
    made = [await platform.make_completed() for _ in range(number)]
    of_policy = backups.update().where(backups.c.id.in_(made)).values(policy_id=policy.id)
    await platform.db.write(lambda connection: connection.execute(of_policy))
    for night, backup_id in enumerate(made):
        await date_backup(platform, backup_id, created_at=find_slot(policy, days=night))
    return made


async def test_retention_keeps_the_newest_good_one_and_removes_nothing_beside_a_broken_newest(
    platform: Platform,
) -> None:
    old, good, broken = await make_nights(platform, 3)
    await check(platform, broken)
    late = now() + timedelta(days=60)
    assert await remove_superfluous_backups(platform.dependencies, now=late) == 0
    await check(platform, broken, "intact")
    await check(platform, good)
    # The broken one takes no place, and goes as a failed one does.
    assert await remove_superfluous_backups(platform.dependencies, now=late) == 2
    await platform.run_all()
    assert await platform.list_all(ADMIN) == [broken]
    assert old not in await platform.list_all(ADMIN)


async def test_retention_waits_for_the_check_of_the_newest(platform: Platform) -> None:
    _, newest = await make_nights(platform, 2)
    await platform.api.check_backup(pb.CheckBackupRequest(app_id=APP.app_id, backup_id=newest), call_of())
    assert await remove_superfluous_backups(platform.dependencies, now=now()) == 0
    await platform.run_all()
    assert await remove_superfluous_backups(platform.dependencies, now=now()) == 1


async def test_older_ones_stay_where_the_newest_is_found_broken_meanwhile(platform: Platform) -> None:
    old, newest = await make_nights(platform, 2)
    await check(platform, newest)
    with pytest.raises(BackupNotCompletedError, match=f"the archive of backup {newest} is broken"):
        await platform.store.begin_delete(
            BackupKey(APP.app_id, old, None), operation_id="d" * 32, requested_by=0, beside=newest
        )


async def test_a_run_whose_archive_is_broken_has_given_no_backup(platform: Platform) -> None:
    good, broken = await make_nights(platform, 2)
    policies = platform.dependencies.policies
    covered = (await policies.list_covered()).values()
    await check(platform, broken)
    (after,) = (await policies.list_covered()).values()
    assert after < max(covered)
    assert after == (await platform.store.get_backup(BackupKey(APP.app_id, good, None))).created_at
