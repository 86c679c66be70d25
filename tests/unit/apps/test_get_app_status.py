"""GetAppStatus: the status of an app and of the operation under way."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from tests.fakes.apps_service import Service, call


async def test_an_app_shows_no_secret_and_its_status_on_the_way(service: Service) -> None:
    app = await service.deploy(config={"memory": 512})
    assert (app.status, app.environment["PASSWORD"]) == ("deploying", "********")
    assert app.public_port >= 8100
    status = await service.api.get_app_status(pb.GetAppStatusRequest(app_id=app.id), call())
    assert (status.operation, status.step, status.step_count) == ("deploy_app", "reserve_vmid", 8)
    await service.platform.run()
    app = (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message
    assert (app.status, app.memory_total) == ("running", 512 * 1024.0**2)
    status = await service.api.get_app_status(pb.GetAppStatusRequest(app_id=app.id), call())
    assert not status.HasField("operation")


async def test_the_status_of_an_app_of_another_user_is_not_found(service: Service) -> None:
    app = await service.deploy(user=1)
    request = pb.GetAppStatusRequest(app_id=app.id)
    with pytest.raises(AppNotFoundError):
        await service.api.get_app_status(request, call(2))
    assert (await service.api.get_app_status(request, call(2, staff=True))).status == "deploying"
