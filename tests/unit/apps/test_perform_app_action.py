"""PerformAppAction: start, stop, restart, delete."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from services.apps.store.tables import outbox
from services.clients.apps.errors import AppBusyError
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call


async def test_starting_a_running_app_answers_200_and_queues_nothing(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    asked = call()
    request = pb.PerformAppActionRequest(app_id=app.id, action="start")
    answer = await service.api.perform_app_action(request, asked)
    assert (answer.success, answer.HasField("operation_id"), asked.http_status) == (True, False, 200)
    assert await service.platform.store.find_unfinished(app.id) is None


async def test_stop_start_restart_delete(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    assert await platform.act(app.id, "start") is None
    for action, status in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        assert await platform.act(app.id, action)
        await platform.run()
        assert (await platform.store.get_app(app.id)).status == status
    await platform.act(app.id, "delete")
    with pytest.raises(AppBusyError):
        await platform.act(app.id, "stop")
    await platform.run()
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id)
    assert platform.containers.containers == {}
    subjects = await platform.database.read(lambda c: c.execute(sa.select(outbox.c.subject)).scalars().all())
    assert "events.apps.v1.app_removed" in subjects


async def test_an_app_of_another_user_is_not_found_and_a_busy_one_is_refused(service: Service) -> None:
    app = await service.deploy(user=1)
    request = pb.PerformAppActionRequest(app_id=app.id, action="stop")
    with pytest.raises(AppNotFoundError):
        await service.api.perform_app_action(request, call(2))
    with pytest.raises(AppBusyError, match="is deploying"):
        await service.api.perform_app_action(request, call())
