"""Backups from request to end: handlers, store and engine on both databases; apps and containers in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.entities import BackupOrder
from services.backups.domain.errors import (
    AppBusyError,
    AppNotBackupableError,
    AppNotHeldError,
    BackupInUseError,
    BackupNotCompletedError,
    BackupNotFoundError,
    BackupProtectedError,
    OperationNotDeadError,
)
from services.backups.domain.interfaces import NewBackup
from services.backups.domain.removed_apps import note_removed_apps
from services.backups.server import build_workflows
from services.backups.store import SqlBackupStore, build_operation_store, operation_queue
from services.backups.store.changes import BACKUP_COMPLETED, BACKUP_FAILED
from services.backups.tables import backups, operations
from services.common.core.clock import now
from services.common.core.errors import DeadlineError, DomainError, NotFoundError, UnavailableError
from services.common.rpc.status import InternalError
from tests.store.backups_db import db, migrated_file, migrated_url
from tests.store.backups_world import ADMIN, OWNER, STRANGER, World, build, call_of, world
from tests.unit.backups.fakes import APP

__all__ = ["build", "db", "migrated_file", "migrated_url", "world"]


async def test_a_backup_is_made_and_the_app_let_go(world: World) -> None:
    call = call_of()
    backup_id = await world.create(call)
    assert ("location", f"/api/apps/{APP.app_id}/backups/{backup_id}") in call.headers
    before = await world.get(backup_id)
    assert (before.status, before.is_in_progress, before.progress) == ("creating", True, 0)
    assert world.apps.held == {APP.app_id: call.request_id}
    standing = await world.internal.get_holding_operation(
        pb.GetHoldingOperationRequest(operation_id=call.request_id), call_of()
    )
    assert standing.status == "unfinished"
    assert await world.run_all() == 1
    after = await world.get(backup_id)
    assert (after.status, after.is_completed, after.size_mb, after.storage_name) == (
        "completed", True, 3.0, "local",
    )  # fmt: skip
    assert after.notes == "before the update"
    assert after.HasField("completed_at")
    assert not after.HasField("progress")
    assert (world.apps.held, world.apps.finished) == ({}, [(call.request_id, True, "")])
    assert [report.progress for report in world.apps.reports] == [0, 0, 1]
    assert await world.list_subjects() == [operation_queue.subject, BACKUP_COMPLETED]
    standing = await world.internal.get_holding_operation(
        pb.GetHoldingOperationRequest(operation_id=call.request_id), call_of()
    )
    assert standing.status == "succeeded"


async def test_a_refused_backup_leaves_nothing(world: World) -> None:
    world.apps.refusal = AppBusyError("the app is being updated")
    with pytest.raises(AppBusyError, match="being updated"):
        await world.create()
    assert (await world.count(backups), await world.count(operations)) == (0, 0)
    world.apps.refusal = None
    for status in ("removing", "error"):
        world.apps.apps[APP.app_id] = replace(APP, status=status)
        with pytest.raises(AppNotBackupableError, match=status):
            await world.create()
    assert await world.list_subjects() == []


async def test_a_backup_is_made_for_the_operation_that_holds_the_app(world: World) -> None:
    request = pb.CreateHeldBackupRequest(
        app_id=APP.app_id, operation_id="op1", notes="before", requested_by=OWNER.id
    )
    with pytest.raises(AppNotHeldError, match="held by nobody, not by op1"):
        await world.internal.create_held_backup(request, call_of())
    world.apps.held[APP.app_id] = "op1"
    first = await world.internal.create_held_backup(request, call_of())
    assert (first.status, first.archive) == ("creating", "")
    assert await world.run_all() == 1
    world.apps.held[APP.app_id] = "op1"  # to apps itself the backup's end changes nothing
    again = await world.internal.create_held_backup(request, call_of())
    assert (again.id, again.status, again.error) == (first.id, "completed", "")
    assert again.archive in world.containers.archives
    found = pb.GetHeldBackupRequest(operation_id="op1")
    assert await world.internal.get_held_backup(found, call_of()) == again
    assert (await world.get(first.id)).notes == "before"
    await world.delete(first.id)
    await world.run_all()
    with pytest.raises(BackupNotFoundError, match="op1"):
        await world.internal.get_held_backup(found, call_of())


async def test_a_second_operation_on_the_app_is_refused(world: World) -> None:
    backup_id = await world.make_completed()
    await world.create()
    with pytest.raises(AppBusyError, match=APP.app_id):
        await world.create()
    with pytest.raises(AppBusyError, match=APP.app_id):
        await world.restore(backup_id)
    assert (await world.get(backup_id)).status == "completed"


async def test_a_repeated_request_makes_one_backup(world: World) -> None:
    call = call_of()
    first = await world.create(call)
    assert await world.create(call) == first
    await world.run_all()
    assert await world.create(call) == first
    assert (world.apps.held, len(world.containers.archives)) == ({}, 1)


async def test_a_backup_whose_beginner_died_is_taken_up_later(world: World) -> None:
    world.apps.down = True
    with pytest.raises(UnavailableError):
        await world.create()
    world.apps.down = False
    app = await world.apps.get_app(APP.app_id, user_id=None)
    early = SqlBackupStore(
        world.db,
        build_workflows(world.apps, world.containers),
        clock=lambda: now() - timedelta(seconds=14),
    )
    await early.add_backup(NewBackup("a" * 32, app, BackupOrder(), 7))
    assert await world.run_all() == 0
    await world.make_due()
    assert await world.run_all() == 1
    listed = (await world.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of())).message
    assert [backup.status for backup in listed.backups] == ["completed"]


async def test_an_app_that_may_be_held_is_not_forgotten(world: World) -> None:
    world.apps.lost = True
    with pytest.raises(UnavailableError):
        await world.create()
    assert world.apps.held
    await world.make_due()
    assert await world.run_all() == 1
    assert (world.apps.held, len(world.containers.archives)) == ({}, 1)


@pytest.mark.parametrize("problem", [DeadlineError("it took too long"), InternalError("internal error")])
async def test_an_app_is_let_go_however_often_that_fails(world: World, problem: DomainError) -> None:
    backup_id = await world.create()
    world.apps.broken = problem
    await world.run_all()
    assert world.apps.held
    await world.make_due()
    await world.run_all()
    assert world.apps.held == {}
    assert (await world.get(backup_id)).status == "completed"


async def test_a_failed_archive_fails_the_backup_and_lets_the_app_go(world: World) -> None:
    world.containers.failing.add("vzdump")
    backup_id = await world.make_completed()
    failed = await world.get(backup_id)
    assert failed.status == "failed"
    assert "vzdump broke" in failed.error_message
    assert [(done, status) for _, done, status in world.apps.finished] == [(False, "")]
    assert await world.list_subjects() == [operation_queue.subject, BACKUP_FAILED]
    with pytest.raises(BackupNotCompletedError, match="failed"):
        await world.restore(backup_id)
    await world.delete(backup_id)
    await world.run_all()
    with pytest.raises(BackupNotFoundError):
        await world.get(backup_id)


@pytest.mark.parametrize(("hindrance", "runs", "status"), [((), True, ""), (("vzstart",), False, "error")])
async def test_an_app_that_was_stopped_for_a_failed_archive_runs_again(
    world: World, hindrance: tuple[str, ...], runs: bool, status: str
) -> None:
    world.containers.failing.update(("vzdump", *hindrance))
    await world.api.create_backup(pb.CreateBackupRequest(app_id=APP.app_id, backup_type="stop"), call_of())
    await world.run_all()
    assert world.containers.running is runs
    assert [one[1:] for one in world.apps.finished] == [(False, status)]


@pytest.mark.parametrize("lost", ["vzdump", "task"])
async def test_a_lost_answer_makes_no_second_archive(world: World, lost: str) -> None:
    world.containers.lost.add(lost)
    backup_id = await world.make_completed()
    assert (await world.get(backup_id)).status == "completed"
    assert world.containers.started == ["vzdump"]


async def test_protection_and_notes_reach_the_archive_and_protect(world: World) -> None:
    backup_id = await world.make_completed()
    request = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, protected=True, notes="keep")
    changed = await world.api.update_backup(request, call_of())
    assert (changed.protected, changed.notes) == (True, "keep")
    assert list(world.containers.protection.values()) == [True]
    with pytest.raises(BackupProtectedError, match=str(backup_id)):
        await world.delete(backup_id)
    request = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, protected=False)
    assert (await world.api.update_backup(request, call_of())).notes == "keep"
    assert (await world.delete(backup_id)).status == "deleting"


async def test_a_deleted_backup_goes_with_its_archive(world: World) -> None:
    backup_id = await world.make_completed()
    await world.delete(backup_id)
    with pytest.raises(BackupInUseError, match="deleting"):
        await world.delete(backup_id)
    assert await world.run_all() == 1
    assert (world.containers.archives, await world.count(backups)) == ({}, 0)


async def test_a_backup_whose_archive_cannot_be_deleted_stays(world: World) -> None:
    backup_id = await world.make_completed()
    world.containers.failing.add("imgdel")
    await world.delete(backup_id)
    await world.run_all()
    kept = await world.get(backup_id)
    assert kept.status == "completed"
    assert "imgdel broke" in kept.error_message


async def test_nobody_sees_or_touches_the_backups_of_another(world: World) -> None:
    backup_id = await world.make_completed()
    for attempt in (
        world.get(backup_id, STRANGER),
        world.delete(backup_id, STRANGER),
        world.restore(backup_id, call_of(STRANGER)),
        world.create(call_of(STRANGER)),
        world.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id), call_of(STRANGER)),
        world.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of(STRANGER)),
        world.api.update_backup(
            pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, notes="x"), call_of(STRANGER)
        ),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert (await world.get(backup_id, ADMIN)).status == "completed"


async def test_lists_are_paged_newest_first_and_counted(world: World) -> None:
    made = [await world.make_completed() for _ in range(3)]
    world.containers.failing.add("vzdump")
    made.append(await world.make_completed())
    call = replace(
        call_of(), metadata={"x-envoy-original-path": f"/api/apps/{APP.app_id}/backups?page=2&per_page=2"}
    )
    page = (
        await world.api.list_backups(pb.ListBackupsRequest(app_id=APP.app_id, page=2, per_page=2), call)
    ).message
    assert ([backup.id for backup in page.backups], page.total) == ([made[1], made[0]], 4)
    assert 'page=1&per_page=2>; rel="prev"' in dict(call.headers)["link"]
    stats = await world.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of())
    assert (stats.total_backups, stats.completed_backups, stats.failed_backups) == (4, 3, 1)
    assert (stats.in_progress_backups, stats.average_size_mb) == (0, 3.0)


async def test_the_backups_of_a_removed_app_are_kept_and_marked(world: World) -> None:
    await world.make_completed()
    await world.store.note_app_removed(APP.app_id, message_id="m1")
    query = sa.select(backups.c.app_removed_at)
    first = await world.db.read(lambda connection: connection.execute(query).scalar_one())
    await world.store.note_app_removed(APP.app_id, message_id="m1")
    assert first is not None
    assert await world.db.read(lambda connection: connection.execute(query).scalar_one()) == first
    assert len(world.containers.archives) == 1


async def test_backups_are_handed_over_also_of_a_removed_app(world: World) -> None:
    await world.make_completed()
    await world.store.note_app_removed(APP.app_id, message_id="m1")
    await world.store.hand_over(STRANGER.id + 1000, to=7)
    query = sa.select(backups.c.owner_id)
    assert await world.db.read(lambda connection: connection.execute(query).scalar_one()) == OWNER.id
    await world.store.hand_over(OWNER.id, to=STRANGER.id)
    assert await world.db.read(lambda connection: connection.execute(query).scalar_one()) == STRANGER.id


async def test_apps_whose_end_was_never_heard_of_are_asked_for(world: World) -> None:
    await world.make_completed()
    assert await note_removed_apps(world.store, world.apps) == 0
    world.apps.apps.clear()
    assert await note_removed_apps(world.store, world.apps) == 1
    assert await world.store.list_app_ids(after="", limit=9) == []


async def test_an_unknown_operation_holds_nothing(world: World) -> None:
    request = pb.GetHoldingOperationRequest(operation_id="never")
    assert (await world.internal.get_holding_operation(request, call_of())).status == "unknown"


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "in time"])
async def test_cleaning_up_that_was_given_up_is_taken_up_again(world: World, by_hand: bool) -> None:
    world.containers.failing.add("vzdump")
    backup_id = await world.create()
    operation_store = build_operation_store(world.db)
    operation = await operation_store.claim_next("test")
    assert operation is not None
    given_up = {
        "status": "dead",
        "undo_attempts": 20,
        "error": "it broke",
        "lease_until": None,
        "step_index": 1,
    }
    await operation_store.update(operation, given_up)
    assert await world.run_all() == 0
    listed = await world.api.list_backup_dead_letters(pb.ListBackupDeadLettersRequest(), call_of(ADMIN))
    assert [(one.id, one.error) for one in listed.operations] == [(operation.id, "it broke")]
    again = pb.ReplayBackupOperationRequest(operation_id=operation.id)
    if by_hand:
        replayed = await world.api.replay_backup_operation(again, call_of(ADMIN))
        assert (replayed.id, replayed.status) == (operation.id, "undoing")
        with pytest.raises(OperationNotDeadError):
            await world.api.replay_backup_operation(again, call_of(ADMIN))
    else:
        assert await world.store.revive_operations() == 1
    assert await world.run_all() == 1
    assert (await world.get(backup_id)).status == "failed"
    assert world.apps.held == {}
