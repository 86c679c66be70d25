"""MarkContainer: the mark of an app is set again, of a stranger only when that is confirmed."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import (
    ContainerManagedError,
    ContainerUnmanagedError,
)
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import deploy_running, reconcile, replace_by_stranger, strip


async def test_an_app_without_its_mark_is_marked_again_after_a_check(service: Service) -> None:
    app = await deploy_running(service)
    strip(service, app)
    unmanaged = await reconcile(service, app)
    with pytest.raises(ContainerUnmanagedError, match=f"POST /api/apps/{app.id}/mark"):
        await service.api.perform_app_action(
            pb.PerformAppActionRequest(app_id=app.id, action="restart"), call()
        )
    adopt = pb.AdoptContainerRequest(vmid=app.vmid or 0, node_name=app.node, host_id=1)
    with pytest.raises(ContainerManagedError, match="is that of"):
        await service.api.adopt_container(adopt, call(staff=True))
    marked = await service.api.mark_container(pb.MarkContainerRequest(app_id=app.id), call(staff=True))
    assert not marked.conditions
    assert marked.status == "running"
    assert marked.url == app.url
    assert unmanaged.url != app.url
    assert service.platform.containers.containers[app.vmid or 0].owner == app.id


async def test_a_stranger_is_marked_only_when_that_is_confirmed(service: Service) -> None:
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    with pytest.raises(ContainerUnmanagedError, match="named 'precious'"):
        await service.api.mark_container(pb.MarkContainerRequest(app_id=app.id), call(staff=True))
    await service.api.mark_container(pb.MarkContainerRequest(app_id=app.id, confirm=True), call(staff=True))
    assert service.platform.containers.containers[app.vmid or 0].owner == app.id
