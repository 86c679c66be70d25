"""StreamAppEvents: the events of one app for gRPC clients."""

from __future__ import annotations

import asyncio

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import delete, deploy_running


async def read_until_removed(service: Service, app_id: str, *, last_event_id: str = "") -> list[pb.AppEvent]:
    request, found = pb.StreamAppEventsRequest(app_id=app_id, last_event_id=last_event_id), []
    async with asyncio.timeout(60):
        async for event in service.api.stream_app_events(request, call()):
            found.append(event)
            if len(found) == 1:
                await delete(service, app_id)
                await service.platform.run()
    return found


async def test_a_stream_begins_with_the_status_and_ends_with_the_removal(service: Service) -> None:
    app = await deploy_running(service)
    events = await read_until_removed(service, app.id)
    assert events[0].status.status == "running"
    assert events[-1].removed.id == app.id


async def test_a_stream_goes_on_after_the_event_that_the_client_names(service: Service) -> None:
    app = await deploy_running(service)
    before, *_ = await service.platform.store.list_events(app.id, after=0)
    events = await read_until_removed(service, app.id, last_event_id=str(before.id))
    numbers = [int(event.id) for event in events]
    assert numbers[0] > before.id
    assert any(event.log.message == "Reserving a container id" for event in events if event.HasField("log"))


async def test_another_user_hears_nothing(service: Service) -> None:
    app = await deploy_running(service)
    with pytest.raises(AppNotFoundError):
        await anext(service.api.stream_app_events(pb.StreamAppEventsRequest(app_id=app.id), call(2)))
