"""GetOperationStanding: how far an operation is, for services that had one begun."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, call, inner


async def read_standing(service: Service, operation_id: str) -> str:
    request = pb.GetOperationStandingRequest(operation_id=operation_id)
    return (await service.internal.get_operation_standing(request, inner())).status


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
async def test_an_operation_is_unfinished_until_its_end(service: Service, outcome: str) -> None:
    app = await service.deploy()
    operation = await service.platform.store.find_unfinished(app.id)
    assert operation is not None
    assert await read_standing(service, operation.id) == "unfinished"
    if outcome == "failed":
        cancel = pb.CancelOperationRequest(app_id=app.id, operation_id=operation.id)
        await service.api.cancel_operation(cancel, call())
    await service.platform.run()
    assert await read_standing(service, operation.id) == outcome


async def test_an_operation_that_nobody_recorded_is_unknown(service: Service) -> None:
    await service.deploy()
    assert await read_standing(service, "no-such-operation") == "unknown"
