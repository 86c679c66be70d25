"""WatchAppEvents: server-sent events of one app."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from tests.fakes.apps_service import Service, call


async def test_events_tell_the_log_and_end_with_the_removal(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    seen: list[str] = []
    told = asyncio.Event()

    async def watch() -> None:
        watched = dataclasses.replace(call(), metadata={"last-event-id": "0"})
        async for body in service.api.watch_app_events(pb.WatchAppEventsRequest(app_id=app.id), watched):
            seen.append(body.data.decode())
            if "event: status" in seen[-1]:
                told.set()

    task = asyncio.create_task(watch())
    async with asyncio.timeout(60):
        await told.wait()
        await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
        await service.platform.run()
        await task
    assert "Reserving a container id" in seen[1]
    assert "event: removed" in seen[-1]


async def test_another_user_watches_nothing(service: Service) -> None:
    app = await service.deploy(user=1)
    with pytest.raises(AppNotFoundError):
        await anext(service.api.watch_app_events(pb.WatchAppEventsRequest(app_id=app.id), call(2)))
