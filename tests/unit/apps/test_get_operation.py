"""GetOperation: one operation of an app with its steps, for the owner and administrators."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import operation_pb2, rules_pb2

from services.apps.domain.errors import AppNotFoundError
from services.apps.workflows import build_workflows
from services.apps.workflows.steps.tools import Tools
from services.common.operations.model import OperationNotFoundError
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import delete, deploy_running


async def find_deployment(service: Service, app_id: str) -> pb.GetOperationRequest:
    found, _ = await service.platform.store.list_operations(app_id, page=1, per_page=1)
    return pb.GetOperationRequest(app_id=app_id, operation_id=found[0].id)


async def test_the_owner_sees_an_operation_with_its_steps(service: Service) -> None:
    app = await deploy_running(service)
    request = await find_deployment(service, app.id)
    operation = await service.api.get_operation(request, call())
    assert (operation.kind, operation.status, operation.app_id) == ("deploy_app", "succeeded", app.id)
    assert operation.steps[0].name == "reserve_vmid"


async def test_another_user_finds_neither_the_app_nor_its_operation(service: Service) -> None:
    app = await deploy_running(service)
    with pytest.raises(AppNotFoundError):
        await service.api.get_operation(await find_deployment(service, app.id), call(2))


async def test_an_operation_of_another_app_is_none_of_this_one(service: Service) -> None:
    app = await deploy_running(service)
    other = await service.deploy("web-02")
    request = await find_deployment(service, other.id)
    request.app_id = app.id
    with pytest.raises(OperationNotFoundError):
        await service.api.get_operation(request, call())


async def test_what_is_left_of_a_removed_app_is_for_administrators(service: Service) -> None:
    app = await deploy_running(service)
    await delete(service, app.id)
    await service.platform.run()
    request = await find_deployment(service, app.id)
    assert (await service.api.get_operation(request, call(9, staff=True))).kind == "delete_app"
    with pytest.raises(AppNotFoundError):
        await service.api.get_operation(request, call())


async def test_the_api_documents_every_kind(service: Service) -> None:
    platform = service.platform
    tools = Tools(platform.containers, platform.store)
    registered = set(build_workflows(tools, platform.backups, upgrades=platform.store))
    field = operation_pb2.Operation.DESCRIPTOR.fields_by_name["kind"]
    documented = set(field.GetOptions().Extensions[rules_pb2.rules].values)
    # What the service of backups carries out.
    assert documented == registered | {"backup", "restore"}, "add it in operation.proto"
