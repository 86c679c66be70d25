"""MigrateApp: an app moves to another node of its host."""

from __future__ import annotations

import dataclasses

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, AppStateError
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.migration import TargetNode
from services.common.core.errors import InvalidError, UnavailableError
from services.common.rpc.call import Call
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import deploy_running


async def migrate(service: Service, app_id: str, node: str, call_: Call) -> pb.AppOperationResponse:
    return await service.api.migrate_app(pb.MigrateAppRequest(app_id=app_id, target_node=node), call_)


async def test_an_app_runs_on_the_other_node(service: Service) -> None:
    app = await deploy_running(service)
    assert app.node == "pve1"
    accepted = call()
    answer = await migrate(service, app.id, "pve2", accepted)
    assert answer.operation_id == accepted.request_id
    with pytest.raises(AppBusyError):
        await migrate(service, app.id, "pve2", call())
    await service.platform.run()
    moved = await service.platform.store.get_app(app.id)
    assert (moved.status, moved.node) == ("running", "pve2")
    assert service.platform.containers.containers[app.vmid or 0].node == "pve2"


async def test_an_app_that_is_there_already_is_refused(service: Service) -> None:
    app = await deploy_running(service)
    with pytest.raises(AppStateError, match="is on pve1 already"):
        await migrate(service, app.id, "pve1", call())


async def test_a_node_is_refused_with_the_reason_that_the_list_gives(service: Service) -> None:
    app = await deploy_running(service)
    service.platform.containers.targets = (
        TargetNode(node="pve2", online=True, obstacle="it has no bridge 'vmbr9'"),
        TargetNode(node="pve3", online=False, obstacle="it is offline"),
    )
    request = pb.ListMigrationTargetsRequest(app_id=app.id)
    listed = (await service.api.list_migration_targets(request, call())).targets
    assert [one.fits for one in listed] == [False, False]
    reasons = {one.node: f"node {one.node}: {one.reason}" for one in listed}
    for node, reason in {**reasons, "pve9": "there is no node 'pve9'"}.items():
        with pytest.raises(InvalidError) as refused:
            await migrate(service, app.id, node, call())
        assert [(one.field, one.description) for one in refused.value.violations] == [("target_node", reason)]
    assert (await service.platform.store.get_app(app.id)).status == "running"


async def test_a_node_that_only_has_little_memory_is_taken(service: Service) -> None:
    app = await deploy_running(service)
    service.platform.containers.targets = (
        TargetNode(node="pve2", online=True, warning="it has 0.5 GiB of memory free"),
    )
    await migrate(service, app.id, "pve2", call())
    await service.platform.run()
    assert (await service.platform.store.get_app(app.id)).node == "pve2"


async def test_an_app_that_was_moved_outside_the_platform_is_noted_where_it_is(service: Service) -> None:
    app = await deploy_running(service)
    containers = service.platform.containers
    vmid = app.vmid or 0
    containers.containers[vmid] = dataclasses.replace(containers.containers[vmid], node="pve2")
    await migrate(service, app.id, "pve2", call())
    await service.platform.run()
    assert (await service.platform.store.get_app(app.id)).node == "pve2"


async def test_a_silent_host_moves_nothing(service: Service) -> None:
    app = await deploy_running(service)
    service.platform.containers.failure["list_migration_targets"] = UnavailableError("the host is silent")
    with pytest.raises(UnavailableError):
        await migrate(service, app.id, "pve2", call())
    assert (await service.platform.store.get_app(app.id)).status == "running"


async def test_another_user_moves_nothing(service: Service) -> None:
    app = await deploy_running(service)
    with pytest.raises(AppNotFoundError):
        await migrate(service, app.id, "pve2", call(2))
