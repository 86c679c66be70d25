"""FindRemovedApps: ids that are ids of no app."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, inner
from tests.fakes.removed_apps import delete, deploy_running


async def test_ids_of_no_app_are_returned_in_their_order(service: Service) -> None:
    removed, unknown = await deploy_running(service), "web-00000000"
    existing = await service.deploy("web-02", user=2)
    await delete(service, removed.id)
    asked = pb.FindRemovedAppsRequest(app_ids=[unknown, existing.id, removed.id])
    assert list((await service.internal.find_removed_apps(asked, inner())).app_ids) == [unknown]
    await service.platform.run()
    assert list((await service.internal.find_removed_apps(asked, inner())).app_ids) == [unknown, removed.id]


async def test_no_ids_are_no_removed_apps(service: Service) -> None:
    answer = await service.internal.find_removed_apps(pb.FindRemovedAppsRequest(), inner())
    assert list(answer.app_ids) == []
