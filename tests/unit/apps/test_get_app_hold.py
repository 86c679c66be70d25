"""GetAppHold: an app as other services need it, for the user for whom they act."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from tests.fakes.apps_service import Service, call, inner
from tests.fakes.removed_apps import deploy_running


async def test_an_app_is_described_with_the_operation_that_locks_it(service: Service) -> None:
    app = await deploy_running(service)
    answer = await service.internal.get_app_hold(pb.GetAppHoldRequest(app_id=app.id), inner())
    assert (answer.app_id, answer.status, answer.operation_id) == (app.id, "running", "")
    assert (answer.host_id, answer.vmid, answer.node) == (app.host_id, app.vmid, app.node)
    begin = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="backup")
    await service.internal.begin_operation(begin, inner())
    answer = await service.internal.get_app_hold(pb.GetAppHoldRequest(app_id=app.id), inner())
    assert (answer.status, answer.operation_id) == ("backing_up", begin.operation_id)


async def test_a_user_finds_no_app_of_another_one_and_an_administrator_does(service: Service) -> None:
    app = await deploy_running(service)
    request = pb.GetAppHoldRequest(app_id=app.id, user_id=2)
    with pytest.raises(AppNotFoundError):
        await service.internal.get_app_hold(request, inner())
    caller = dataclasses.replace(inner().caller, user=call(2, staff=True).user)
    answer = await service.internal.get_app_hold(request, dataclasses.replace(inner(), caller=caller))
    assert answer.owner_id == 1
