"""ReplayOperation: an operation that was given up, which only undoing can be, is undone to its end."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.clients.apps.errors import AppBusyError
from services.common.operations.model import OperationNotFoundError
from tests.fakes.apps_service import Service, call
from tests.fakes.dead_operations import give_up


async def test_an_operation_that_was_given_up_is_undone_after_its_replay(service: Service) -> None:
    app = await service.deploy()
    dead = await give_up(service, app)
    await service.platform.run()
    assert (await service.platform.store.get_app(app.id)).status == "deploying"
    replayed = call(9, staff=True)
    answer = await service.api.replay_operation(pb.ReplayOperationRequest(operation_id=dead), replayed)
    assert answer.status == "undoing"
    assert ("location", f"/api/apps/{app.id}/operations/{dead}") in replayed.headers
    await service.platform.run()
    found = await service.platform.store.get_app(app.id)
    assert (found.status, found.public_port, found.vmid) == ("error", None, None)
    assert (await service.platform.store.get_operation(dead)).status == "failed"


async def test_an_operation_under_way_is_not_replayed(service: Service) -> None:
    app = await service.deploy()
    operation = await service.platform.store.find_unfinished(app.id)
    assert operation is not None
    with pytest.raises(AppBusyError, match="was not given up"):
        await service.api.replay_operation(
            pb.ReplayOperationRequest(operation_id=operation.id), call(9, staff=True)
        )


async def test_an_unknown_operation_is_not_found(service: Service) -> None:
    with pytest.raises(OperationNotFoundError):
        await service.api.replay_operation(
            pb.ReplayOperationRequest(operation_id="none"), call(9, staff=True)
        )
