"""RestoreElsewhere: RestoreBeside on another host, by an RPC that the release before does not know."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.clients.apps.client import GrpcApps
from services.clients.apps.values import RestoreBesideOrder
from services.common.rpc.client import Clients
from tests.fakes.apps_service import Service, inner
from tests.fakes.removed_apps import remove_with_archive


class RecordingClients(Clients):
    """Notes which RPC is called."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def call(
        self, service: str, stub: type, method: str, request: Any, **_: Any
    ) -> pb.CloneAppResponse:
        self.methods.append(method)
        return pb.CloneAppResponse(app_id="web-1")


@pytest.mark.parametrize(
    ("target", "method"), [(0, "RestoreBeside"), (1, "RestoreBeside"), (2, "RestoreElsewhere")]
)
async def test_only_another_host_needs_the_rpc(target: int, method: str) -> None:
    clients = RecordingClients()
    order = RestoreBesideOrder("a" * 32, "web-0", "local:x", "web-2", host_id=1, target_host_id=target)
    await GrpcApps(clients).restore_beside(order, user=None)
    assert clients.methods == [method]


async def test_restore_elsewhere_is_on_the_host_that_it_names(service: Service) -> None:
    app, archive = await remove_with_archive(service)
    service.platform.containers.seen_by.add(2)
    request = pb.RestoreBesideRequest(
        operation_id=uuid.uuid4().hex,
        source_app_id=app.id,
        archive=archive,
        new_hostname="back-1",
        host_id=1,
        target_host_id=2,
        target_archive=archive,
        node="pve1",
    )
    answer = await service.internal.restore_elsewhere(request, inner())
    assert (await service.platform.store.get_app(answer.app_id)).host_id == 2
