"""CancelOperation: an operation stops and is undone."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from services.clients.apps.errors import AppBusyError
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import delete, deploy_running


async def test_an_operation_is_cancelled_and_undone(platform: Platform) -> None:
    app = await platform.deploy()
    operation = await platform.store.find_unfinished(app.id)
    assert operation is not None
    assert await platform.store.request_cancel(operation.id)
    await platform.run()
    assert (await platform.store.get_operation(operation.id)).status == "cancelled"
    assert platform.containers.containers == {}


async def find_request(service: Service, app_id: str) -> pb.CancelOperationRequest:
    operation = await service.platform.store.find_unfinished(app_id)
    assert operation is not None
    return pb.CancelOperationRequest(app_id=app_id, operation_id=operation.id)


async def test_another_user_cancels_nothing_and_the_owner_once(service: Service) -> None:
    app = await service.deploy(user=1)
    request = await find_request(service, app.id)
    with pytest.raises(AppNotFoundError):
        await service.api.cancel_operation(request, call(2))
    answer = await service.api.cancel_operation(request, call())
    assert (answer.id, answer.cancel_requested) == (request.operation_id, True)
    await service.platform.run()
    assert (await service.platform.store.get_operation(request.operation_id)).status == "cancelled"
    with pytest.raises(AppBusyError, match="has ended"):
        await service.api.cancel_operation(request, call())


async def test_a_deletion_has_no_way_back(service: Service) -> None:
    app = await deploy_running(service)
    await delete(service, app.id)
    with pytest.raises(AppBusyError, match="cannot be cancelled"):
        await service.api.cancel_operation(await find_request(service, app.id), call())
