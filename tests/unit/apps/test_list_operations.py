"""ListOperations: the operations of an app, newest first."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import (
    AppNotFoundError,
)
from services.common.core.errors import InvalidError
from services.common.rpc.call import Call
from tests.fakes.apps_service import Service, call


async def test_operations_are_shown_as_they_are_now(service: Service) -> None:
    app = await service.deploy()

    async def show(user: Call, page: int = 1) -> pb.ListOperationsResponse:
        request = pb.ListOperationsRequest(app_id=app.id, page=page)
        return (await service.api.list_operations(request, user)).message

    assert [each.status for each in (await show(call())).operations] == ["queued"]
    operation = await service.platform.operations.claim_next("w")
    assert operation is not None
    assert [each.worker for each in (await show(call())).operations] == ["w"]
    for known in ([], ["UPID:a"]):  # what is noted of a step shows as well
        assert [list(each.steps[0].upids) for each in (await show(call())).operations] == [known]
        await service.platform.operations.note_upid(operation, 0, upid="UPID:a")
    with pytest.raises(AppNotFoundError):
        await show(call(user=2))
    assert ((await show(call(), 2)).total, (await show(call(staff=True))).total) == (1, 1)


async def test_pages_behind_an_operation_are_of_the_app_alone(service: Service) -> None:
    app, other = await service.deploy("web-01"), await service.deploy("web-02")
    await service.platform.run()
    for action in ("stop", "start", "stop"):
        for each in (app, other):
            await service.platform.act(each.id, action)
        await service.platform.run()

    async def show(**fields: object) -> list[str]:
        request = pb.ListOperationsRequest(app_id=app.id, **fields)  # type: ignore[arg-type]
        return [one.id for one in (await service.api.list_operations(request, call())).message.operations]

    everything = await show()
    assert len(everything) == 4
    assert await show(after=everything[0], per_page=2) == everything[1:3]
    assert await show(after=everything[2], per_page=2) == everything[3:]
    assert await show(after=everything[3]) == []
    with pytest.raises(InvalidError, match="there is no operation nothing"):
        await show(after="nothing")
    with pytest.raises(AppNotFoundError):
        await service.api.list_operations(
            pb.ListOperationsRequest(app_id=app.id, after=everything[0]), call(2)
        )
