"""StreamEvents: everything that the caller may see, for gRPC clients."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.backups.v1 import events_pb2

from services.apps.convert.feed import (
    parse_backup_broken,
    parse_backup_failed,
    parse_backup_overdue,
    parse_restore_test_failed,
)
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import deploy_running

LIMIT_S = 300.0


async def read_until(stream: AsyncIterator[pb.Event], kind: str) -> list[pb.Event]:
    found: list[pb.Event] = []
    async with asyncio.timeout(LIMIT_S):
        async for event in stream:
            found.append(event)
            if (event.WhichOneof("event") or "") == kind:
                return found
    raise AssertionError(f"the stream ended without {kind}")


async def test_a_stream_begins_with_its_position_and_shows_what_happens(service: Service) -> None:
    stream = service.api.stream_events(pb.StreamEventsRequest(), call())
    [connected] = await read_until(stream, "connected")
    assert connected.connected.last_event_id == connected.id
    app = await deploy_running(service)
    [*_, created] = await read_until(stream, "created")
    assert created.created.id == app.id


async def test_a_stream_goes_on_after_the_event_that_the_client_names(service: Service) -> None:
    app = await deploy_running(service)
    events = await service.platform.store.list_events(app.id, after=0)
    request = pb.StreamEventsRequest(last_event_id=str(events[1].id))
    found = await read_until(service.api.stream_events(request, call()), "")
    numbers = [int(event.id) for event in found if event.HasField("log") or event.HasField("status")]
    assert numbers == [event.id for event in events[2:]]
    assert found[-1].id == str(events[-1].id)


async def test_faults_of_backups_are_shown_to_the_owner_once(service: Service) -> None:
    app = await deploy_running(service)
    store = service.platform.store
    streams = {
        name: service.api.stream_events(pb.StreamEventsRequest(), caller)
        for name, caller in (("owner", call()), ("stranger", call(2)))
    }
    for stream in streams.values():
        await read_until(stream, "connected")
    failed = parse_backup_failed(
        events_pb2.BackupFailed(backup_id=3, app_id=app.id, reason="no space left").SerializeToString()
    )
    overdue = events_pb2.BackupOverdue(policy_id=4, app_id=app.id)
    overdue.expected_at.FromJsonString("2026-11-30T02:00:00Z")
    tested = events_pb2.RestoreTestFailed(backup_id=3, app_id=app.id, step="probe", reason="refused")
    for number in (1, 1, 2):  # NATS may deliver twice
        await store.note_backup_alert(failed, message_id=f"failed-{min(number, 1)}")
    late = parse_backup_overdue(overdue.SerializeToString())
    await store.note_backup_alert(late, message_id="overdue-1")
    broken = parse_restore_test_failed(tested.SerializeToString())
    await store.note_backup_alert(broken, message_id="tested-1")
    await store.note_backup_alert(dataclasses.replace(broken, app_id="gone-00000000"), message_id="tested-2")
    archive = events_pb2.BackupBroken(backup_id=3, app_id=app.id, reason="Unexpected EOF")
    await store.note_backup_alert(parse_backup_broken(archive.SerializeToString()), message_id="broken-1")
    found = [
        event
        for event in await read_until(streams["owner"], "backup_broken")
        if event.WhichOneof("event") not in {"operation", None}
    ]
    assert [event.WhichOneof("event") for event in found] == [
        "backup_failed",
        "backup_overdue",
        "restore_test_failed",
        "backup_broken",
    ]
    assert found[0].backup_failed == pb.BackupAlert(
        application_id=app.id, backup_id=3, message="no space left"
    )
    assert found[1].backup_overdue == pb.BackupAlert(
        application_id=app.id, policy_id=4, message="the run of 2026-11-30 02:00 UTC has given no backup"
    )
    assert found[2].restore_test_failed.message == "probe: refused"
    assert found[3].backup_broken == pb.BackupAlert(
        application_id=app.id, backup_id=3, message="Unexpected EOF"
    )
    other = await service.deploy("web-02", user=2)
    [*before, created] = await read_until(streams["stranger"], "created")
    assert created.created.id == other.id
    assert {event.WhichOneof("event") for event in before} <= {"operation", None}
