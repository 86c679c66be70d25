"""WatchEvents: server-sent events of everything that the caller may see."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.feed import ChangedBackup
from services.common.rpc.call import Call
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import delete, deploy_running

LIMIT_S = 300.0


@dataclasses.dataclass(frozen=True)
class Frame:
    id: int
    event: str
    data: Any


def read_frame(raw: bytes) -> Frame:
    fields = dict(line.split(": ", 1) for line in raw.decode().splitlines() if line and line[0] != ":")
    return Frame(int(fields["id"]), fields.get("event", "ping"), json.loads(fields.get("data", "null")))


class Stream:
    """A client that reads until something arrives."""

    def __init__(self, service: Service, caller: Call, *, last_event_id: str = "", header: str = "") -> None:
        self.platform = service.platform
        caller = dataclasses.replace(caller, metadata={"last-event-id": header} if header else {})
        request = pb.WatchEventsRequest(last_event_id=last_event_id)
        self.bodies = service.api.watch_events(request, caller)
        self.frames: list[Frame] = []

    async def read(self, is_enough: Callable[[Frame], bool]) -> Frame:
        async with asyncio.timeout(LIMIT_S):
            async for body in self.bodies:
                assert body.content_type == "text/event-stream"
                frame = read_frame(body.data)
                self.frames.append(frame)
                if is_enough(frame):
                    return frame
        raise AssertionError("the stream ended")

    async def skip(self) -> None:
        """Read until there is nothing more: a keep-alive behind the newest event, as earlier ones come on a slow machine."""
        newest = await self.platform.store.find_newest_event_id()
        await self.read(lambda frame: frame.event == "ping" and frame.id >= newest)

    def apps(self) -> set[str]:
        """List the apps that the events were about."""
        found = (frame.data.get("app_id") or frame.data.get("id") for frame in self.frames if frame.data)
        return {str(app_id) for app_id in found if app_id}

    def kinds(self) -> list[str]:
        return [frame.event for frame in self.frames if frame.event != "ping"]


def is_end_of(kind: str) -> Callable[[Frame], bool]:
    return lambda frame: (
        frame.event == "operation" and frame.data["kind"] == kind and "finished_at" in frame.data
    )


async def test_a_stream_shows_an_app_from_its_creation_to_its_removal(service: Service) -> None:
    stream = Stream(service, call())
    connected = await stream.read(lambda frame: frame.event == "connected")
    assert connected.data == {"last_event_id": "0"}
    app = await deploy_running(service)
    created = await stream.read(lambda frame: frame.event == "created")
    assert created.data["id"] == app.id
    await stream.read(is_end_of("deploy_app"))
    await delete(service, app.id)
    # The events of an app go with it: this one is read before it is gone.
    await stream.read(lambda frame: frame.event == "status" and frame.data["status"] == "removing")
    await service.platform.run()
    removed = await stream.read(lambda frame: frame.event == "removed")
    assert removed.data["id"] == app.id
    lines = [frame.data["line"]["message"] for frame in stream.frames if frame.event == "log"]
    assert "Reserving a container id" in lines
    statuses = [frame.data["status"] for frame in stream.frames if frame.event == "status"]
    assert statuses == ["running", "removing"]
    numbers = [frame.id for frame in stream.frames]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("way", ["header", "query"])
async def test_resuming_after_any_event_misses_nothing(service: Service, way: str) -> None:
    first = Stream(service, call())
    await first.read(lambda frame: frame.event == "connected")
    await deploy_running(service)
    await first.read(is_end_of("deploy_app"))
    await first.skip()
    for number in sorted({frame.id for frame in first.frames}):
        named = (
            {"header": str(number), "last_event_id": "0"}
            if way == "header"
            else {"last_event_id": str(number)}
        )
        again = Stream(service, call(), **named)
        assert (await again.read(lambda frame: frame.event == "connected")).id == number
        await again.skip()
        expected = {
            frame.id for frame in first.frames if frame.id > number and frame.event in {"log", "status"}
        }
        assert {frame.id for frame in again.frames if frame.event in {"log", "status"}} == expected
        assert any(is_end_of("deploy_app")(frame) for frame in again.frames)


async def test_users_see_their_own_apps_and_administrators_all(service: Service) -> None:
    streams = {
        "owner": Stream(service, call(1)),
        "other": Stream(service, call(2)),
        "admin": Stream(service, call(3, staff=True)),
    }
    for stream in streams.values():
        await stream.read(lambda frame: frame.event == "connected")
    mine, other = await service.deploy("web-01", user=1), await service.deploy("web-02", user=2)
    await service.platform.run()
    await streams["owner"].read(is_end_of("deploy_app"))
    await streams["other"].read(is_end_of("deploy_app"))
    await streams["admin"].read(is_end_of("deploy_app"))
    await streams["admin"].read(is_end_of("deploy_app"))
    for name, seen in (("owner", {mine.id}), ("other", {other.id}), ("admin", {mine.id, other.id})):
        await streams[name].skip()
        again = Stream(service, streams_caller(name), last_event_id="0")
        await again.skip()
        for stream in (streams[name], again):
            named = {
                frame.data.get("app_id") or frame.data["id"]
                for frame in stream.frames
                if frame.event not in {"ping", "connected"}
            }
            assert named == seen


def streams_caller(name: str) -> Call:
    return {"owner": call(1), "other": call(2), "admin": call(3, staff=True)}[name]


async def test_changes_of_backups_arrive_once_and_at_their_owner(service: Service) -> None:
    owner, other = Stream(service, call(1)), Stream(service, call(2))
    for stream in (owner, other):
        await stream.read(lambda frame: frame.event == "connected")
    changed = ChangedBackup(
        backup_id=7,
        app_id="web-1",
        owner_id=1,
        status="completed",
        updated_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    for _ in range(2):
        await service.platform.store.note_backup(changed, message_id="m-1")
    frame = await owner.read(lambda frame: frame.event == "backup")
    assert frame.data == {
        "id": 7,
        "application_id": "web-1",
        "status": "completed",
        "updated_at": "2026-01-02T00:00:00Z",
    }
    await owner.skip()
    await other.skip()
    assert owner.kinds().count("backup") == 1
    assert "backup" not in other.kinds()


async def test_a_keep_alive_has_the_id_to_resume_after(service: Service) -> None:
    await deploy_running(service)
    stream = Stream(service, call(2))
    connected = await stream.read(lambda frame: frame.event == "connected")
    await service.deploy("web-02", user=1)
    ping = await stream.read(lambda frame: frame.event == "ping" and frame.id > connected.id)
    assert ping.data is None


async def test_an_unknown_id_goes_on_from_now(service: Service) -> None:
    await deploy_running(service)
    stream = Stream(service, call(), last_event_id="yesterday")
    await stream.skip()
    assert stream.kinds() == ["connected"]
    with contextlib.suppress(StopAsyncIteration):
        await stream.bodies.aclose()  # type: ignore[attr-defined]  # the handler is an async generator
