"""Announcement of changed backups, which streams of events show."""

from __future__ import annotations

import sqlalchemy as sa
from proximity.backups.v1 import events_pb2

from services.backups.store.announcements import BACKUP_CHANGED
from services.backups.store.tables import outbox
from tests.fakes.apps import APP
from tests.unit.backups.platform import Platform


async def list_changes(platform: Platform) -> list[tuple[int, str]]:
    """List the announced changes as backup and status, without those that repeat a status."""
    query = sa.select(outbox.c.payload).where(outbox.c.subject == BACKUP_CHANGED).order_by(outbox.c.id)
    payloads = await platform.db.read(lambda connection: connection.execute(query).scalars().all())
    events = [events_pb2.BackupChanged.FromString(payload) for payload in payloads]
    assert {(event.app_id, event.owner_id) for event in events} == {(APP.app_id, APP.owner_id)}
    found: list[tuple[int, str]] = []
    for event in events:
        if (event.backup_id, event.status) not in found[-1:]:
            found.append((event.backup_id, event.status))
    return found


async def test_every_change_of_a_backup_is_announced_to_its_removal(platform: Platform) -> None:
    made = await platform.make_completed()
    await platform.protect(made)
    await platform.protect(made, protected=False)
    await platform.delete(made)
    await platform.run_all()
    statuses = ["creating", "completed", "deleting", "deleted"]
    assert await list_changes(platform) == [(made, status) for status in statuses]


async def test_a_lost_and_a_found_archive_are_announced(platform: Platform) -> None:
    made = await platform.make_completed()
    await platform.store.note_presence([made], present=False, error="gone")
    await platform.store.note_presence([made], present=False, error="gone")
    await platform.store.note_presence([made], present=True)
    statuses = ["creating", "completed", "missing", "completed"]
    assert await list_changes(platform) == [(made, status) for status in statuses]
