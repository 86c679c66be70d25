"""Apps whose container lost their mark, or whose id a stranger has: shown as such, never touched, never forgotten."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import (
    AppNotFoundError,
)
from tests.fakes.apps_platform import platform  # noqa: F401 - a fixture
from tests.fakes.apps_service import Service, call, inner, service  # noqa: F401 - fixtures
from tests.fakes.unmanaged_apps import (
    RECONCILE,
    deploy_running,
    find_status,
    reconcile,
    replace_by_stranger,
    strip,
)
from tests.store.apps_db import db  # noqa: F401 - fixture


async def test_a_mark_that_comes_back_ends_the_condition(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    held = service.platform.containers.containers
    before = held[app.vmid or 0]
    strip(service, app)
    await reconcile(service, app)
    held[app.vmid or 0] = before
    assert not (await service.api.reconcile_apps(RECONCILE, call(staff=True))).findings
    shown = await service.platform.store.get_app(app.id)
    assert (shown.conditions, shown.url) == ((), app.url)


async def test_an_app_is_not_forgotten_while_its_container_may_run_on(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    strip(service, app)
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
    await service.platform.run()
    status, error = await find_status(service, app.id)
    assert status == "error"
    assert "container=keep" in error
    assert app.vmid in service.platform.containers.containers
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id, container="keep"), call())
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.platform.store.get_app(app.id)
    assert app.vmid in service.platform.containers.containers


async def test_an_app_whose_id_a_stranger_has_can_be_deleted_and_that_is_said(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    await reconcile(service, app)
    answer = await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
    assert f"Container {app.vmid} of host 1 does not carry its mark and is not destroyed" in answer.message
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.platform.store.get_app(app.id)
    assert service.platform.containers.containers[app.vmid or 0].name == "precious"
    assert app.id not in service.platform.containers.reserved


async def test_a_kept_container_loses_the_mark(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id, container="keep"), call())
    await service.platform.run()
    assert service.platform.containers.containers[app.vmid or 0].owner == ""


async def test_a_change_of_an_app_whose_id_a_stranger_has_ends(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    await service.api.update_app(pb.UpdateAppRequest(app_id=app.id, memory=1024), call())
    await service.platform.run()
    assert (await find_status(service, app.id))[0] in {"running", "error"}
    logs, _ = await service.platform.store.list_logs(app.id, limit=20)
    assert any("was not undone" in line.message for line in logs)
