"""GetAppStats: figures of the app's own container."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, ContainerUnmanagedError
from services.clients.inventory.errors import ContainerNotFoundError
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import (
    deploy_running,
    reconcile,
    replace_by_stranger,
)


@pytest.mark.parametrize("owner", ["", "other-12345678"])
async def test_a_strangers_figures_are_not_shown(service: Service, owner: str) -> None:
    app = await deploy_running(service)
    replace_by_stranger(service, app, owner=owner)
    with pytest.raises(ContainerUnmanagedError, match=r"does not carry|carries the mark"):
        await service.api.get_app_stats(pb.GetAppStatsRequest(app_id=app.id), call())
    shown = await reconcile(service, app)
    assert [one.type for one in shown.conditions] == ["unmanaged"]
    assert (shown.url, shown.address) == ("", "")


async def test_an_app_without_a_container_has_no_figures(service: Service) -> None:
    app = await service.deploy()
    with pytest.raises(ContainerNotFoundError, match="has no container"):
        await service.api.get_app_stats(pb.GetAppStatsRequest(app_id=app.id), call())
    await service.platform.run()
    assert (await service.api.get_app_stats(pb.GetAppStatsRequest(app_id=app.id), call())).status == "running"
    with pytest.raises(AppNotFoundError):
        await service.api.get_app_stats(pb.GetAppStatsRequest(app_id=app.id), call(2))
