"""StreamEvents: everything that the caller may see, for gRPC clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import deploy_running

LIMIT_S = 20.0


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
