"""DiscoverContainers: containers that no app owns."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import HostsSilentError
from services.clients.inventory.values import Scan
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import (
    deploy_running,
    find_status,
    replace_by_stranger,
)


async def test_a_stranger_with_an_apps_id_is_discovered_and_can_be_adopted(service: Service) -> None:
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    found = [
        one.vmid
        async for one in service.api.discover_containers(pb.DiscoverContainersRequest(), call(staff=True))
    ]
    assert found == [app.vmid]
    adopt = pb.AdoptContainerRequest(vmid=app.vmid or 0, node_name=app.node, host_id=1)
    adopted = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    assert service.platform.containers.containers[app.vmid or 0].owner == adopted.app_id
    assert (await service.platform.store.get_app(app.id)).vmid is None
    status, error = await find_status(service, app.id)
    assert status == "error"
    assert "another one has the id" in error


async def test_without_any_host_that_answers_the_reasons_are_named(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def list_nothing(*_: object, **__: object) -> Scan:
        return Scan((), frozenset(), (1,), {1: "host 1 does not answer"})

    monkeypatch.setattr(service.platform.containers, "list_containers", list_nothing)
    with pytest.raises(HostsSilentError, match="host 1 does not answer"):
        await anext(service.api.discover_containers(pb.DiscoverContainersRequest(), call(staff=True)))
