"""ListAppHolds: facts of all apps in the order of their ids, a page at a time."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, inner
from tests.fakes.removed_apps import deploy_running


async def test_apps_are_listed_by_id_without_their_operations(service: Service) -> None:
    running = await deploy_running(service)
    begun = await service.deploy("web-02", user=2)
    listed = (await service.internal.list_app_holds(pb.ListAppHoldsRequest(), inner())).apps
    assert [one.app_id for one in listed] == sorted([running.id, begun.id])
    facts = {one.app_id: one for one in listed}
    assert (facts[running.id].status, facts[running.id].vmid) == ("running", running.vmid)
    assert (facts[begun.id].status, facts[begun.id].owner_id, facts[begun.id].operation_id) == (
        "deploying",
        2,
        "",
    )
    assert all(one.created_at.seconds for one in listed)


async def test_a_page_begins_after_an_id(service: Service) -> None:
    ids = sorted([(await deploy_running(service)).id, (await service.deploy("web-02", user=2)).id])
    first = pb.ListAppHoldsRequest(limit=1)
    assert [one.app_id for one in (await service.internal.list_app_holds(first, inner())).apps] == ids[:1]
    rest = pb.ListAppHoldsRequest(after=ids[0], limit=1)
    assert [one.app_id for one in (await service.internal.list_app_holds(rest, inner())).apps] == ids[1:]
    end = pb.ListAppHoldsRequest(after=ids[1])
    assert not (await service.internal.list_app_holds(end, inner())).apps
