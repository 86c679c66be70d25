"""CountBackups: per app, with the protected ones."""

from __future__ import annotations

from datetime import UTC

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.interfaces import BackupKey
from tests.fakes.apps import APP
from tests.unit.backups.platform import Platform, call_of


async def test_backups_are_counted_for_apps(platform: Platform) -> None:
    made = [await platform.make_completed() for _ in range(2)]
    await platform.protect(made[0])
    request = pb.CountBackupsRequest(app_ids=[APP.app_id, "none-00000000"])
    answer = await platform.internal.count_backups(request, call_of())
    assert [(one.app_id, one.total, one.protected) for one in answer.apps] == [(APP.app_id, 2, 1)]


async def test_backups_that_can_be_restored_are_counted(platform: Platform) -> None:
    made = [await platform.make_completed() for _ in range(3)]
    await platform.store.note_presence(made[:1], present=False, error="gone")
    await platform.delete(made[1])
    answer = await platform.internal.count_backups(pb.CountBackupsRequest(app_ids=[APP.app_id]), call_of())
    assert [(one.total, one.completed) for one in answer.apps] == [(3, 1)]


async def test_apps_that_were_not_named_are_not_counted(platform: Platform) -> None:
    await platform.make_completed()
    answer = await platform.internal.count_backups(pb.CountBackupsRequest(app_ids=["none-0"]), call_of())
    assert list(answer.apps) == []


async def test_the_newest_restorable_backup_is_named_for_each_app(platform: Platform) -> None:
    ids = [await platform.make_completed() for _ in range(3)]
    made = [await platform.store.get_backup(BackupKey(APP.app_id, one, None)) for one in ids]
    await platform.store.note_presence(ids[2:], present=False, error="gone")
    request = pb.CountBackupsRequest(
        app_ids=[APP.app_id], operation_ids=[made[0].mark, made[2].mark, "no-operation"]
    )
    (answer,) = (await platform.internal.count_backups(request, call_of())).apps
    assert (answer.last_id, answer.last_completed_at.ToDatetime(UTC)) == (ids[1], made[1].completed_at)
    assert list(answer.restorable) == [made[0].mark]
    for backup_id in ids[:2]:
        await platform.delete(backup_id)
    (answer,) = (await platform.internal.count_backups(request, call_of())).apps
    assert not answer.HasField("last_id")
    assert not answer.HasField("last_completed_at")
    assert list(answer.restorable) == []
