"""Backups of removed apps and users."""

from __future__ import annotations

import sqlalchemy as sa
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.store.tables import backups
from services.backups.usecases.removed_apps import delete_requested_backups, note_removed_apps
from tests.fakes.apps import APP
from tests.unit.backups.platform import OWNER, STRANGER, Platform, call_of


async def test_backups_that_go_with_their_app_are_deleted_but_for_protected_ones(platform: Platform) -> None:
    kept, gone = await platform.make_completed(), await platform.make_completed()
    await platform.protect(kept)
    await platform.remove_app(delete=True)
    assert (await platform.get(gone)).status == "deleting"
    await platform.run_all()
    assert (await platform.list_all(), len(platform.containers.archives)) == ([kept], 1)
    await platform.protect(kept, protected=False)  # it was not to go then, so it does not go now
    assert await delete_requested_backups(platform.store) == 0


async def test_backups_stay_unless_their_deletion_is_requested(platform: Platform) -> None:
    made = await platform.make_completed()
    await platform.remove_app()
    assert await delete_requested_backups(platform.store) == 0
    assert await platform.list_all() == [made]


async def test_a_backup_in_use_is_deleted_later(platform: Platform) -> None:
    made = await platform.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made, new_hostname="back-1")
    call = call_of()
    await platform.api.restore_backup(request, call)
    platform.apps.standings[call.request_id] = "unfinished"
    await platform.remove_app(delete=True)
    assert (await platform.get(made)).status == "restoring"
    platform.apps.standings[call.request_id] = "succeeded"
    await platform.make_due()
    await platform.run_all()
    assert (await platform.get(made)).status == "completed"
    assert await delete_requested_backups(platform.store) == 1
    await platform.run_all()
    assert await platform.list_all() == []


async def test_protection_cancels_a_requested_deletion(platform: Platform) -> None:
    made = await platform.make_completed()
    request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made, new_hostname="back-1")
    call = call_of()
    await platform.api.restore_backup(request, call)
    await platform.remove_app(delete=True)
    platform.apps.standings[call.request_id] = "succeeded"
    await platform.make_due()
    await platform.run_all()
    await platform.protect(made)
    await platform.protect(made, protected=False)
    assert await delete_requested_backups(platform.store) == 0


async def test_the_backups_of_a_removed_app_stay_and_are_marked(platform: Platform) -> None:
    await platform.make_completed()
    await platform.store.note_app_removed(APP.app_id, message_id="m1")
    query = sa.select(backups.c.app_removed_at)
    first = await platform.db.read(lambda connection: connection.execute(query).scalar_one())
    await platform.store.note_app_removed(APP.app_id, message_id="m1")
    assert first is not None
    assert await platform.db.read(lambda connection: connection.execute(query).scalar_one()) == first
    assert len(platform.containers.archives) == 1


async def test_backups_are_handed_over_also_of_a_removed_app(platform: Platform) -> None:
    await platform.make_completed()
    await platform.store.note_app_removed(APP.app_id, message_id="m1")
    await platform.store.hand_over(STRANGER.id + 1000, to=7)
    query = sa.select(backups.c.owner_id)
    assert await platform.db.read(lambda connection: connection.execute(query).scalar_one()) == OWNER.id
    await platform.store.hand_over(OWNER.id, to=STRANGER.id)
    assert await platform.db.read(lambda connection: connection.execute(query).scalar_one()) == STRANGER.id


async def test_deletions_whose_event_was_lost_are_found(platform: Platform) -> None:
    await platform.make_completed()
    assert await note_removed_apps(platform.store, platform.apps) == 0
    platform.apps.apps.clear()
    assert await note_removed_apps(platform.store, platform.apps) == 1
    assert await platform.store.list_app_ids(after="", limit=9) == []


async def test_backups_that_are_handed_over_have_changed(platform: Platform) -> None:
    await platform.make_completed()
    query = sa.select(backups.c.updated_at)
    before = await platform.db.read(lambda connection: connection.execute(query).scalar_one())
    await platform.store.hand_over(OWNER.id, to=STRANGER.id)
    assert await platform.db.read(lambda connection: connection.execute(query).scalar_one()) > before
