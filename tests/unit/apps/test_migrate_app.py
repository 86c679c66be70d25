"""MigrateApp: an app moves to another node of its host."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, AppStateError
from services.clients.apps.errors import AppBusyError
from services.common.core.errors import InvalidError
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


async def test_an_unknown_node_is_named_by_its_field(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_wanted: object) -> None:
        raise InvalidError("node: host 1 has no node pve9")

    app = await deploy_running(service)
    monkeypatch.setattr(service.platform.containers, "place_container", refuse)
    with pytest.raises(InvalidError) as refused:
        await migrate(service, app.id, "pve9", call())
    assert [one.field for one in refused.value.violations] == ["target_node"]
    assert (await service.platform.store.get_app(app.id)).status == "running"


async def test_another_user_moves_nothing(service: Service) -> None:
    app = await deploy_running(service)
    with pytest.raises(AppNotFoundError):
        await migrate(service, app.id, "pve2", call(2))
