"""ListApps: which apps a user sees."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import AppNotFoundError
from services.common.rpc.call import Call
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call


async def test_somebody_elses_app_does_not_exist(platform: Platform) -> None:
    app = await platform.deploy(owner=1)
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id, owner=2)
    assert await platform.store.list_stamps(AppFilter(owner_id=2), page=1, per_page=10) == ([], 0)


async def test_a_user_sees_the_own_apps_alone_whichever_owner_is_requested(service: Service) -> None:
    own, other = await service.deploy("web-01", user=1), await service.deploy("web-02", user=2)

    async def show(caller: Call, **fields: object) -> set[str]:
        request = pb.ListAppsRequest(**fields)  # type: ignore[arg-type]
        return {app.id for app in (await service.api.list_apps(request, caller)).message.apps}

    assert await show(call(1), owner=2) == await show(call(1)) == {own.id}
    assert await show(call(9, staff=True), owner=2) == {other.id}
    assert await show(call(9, staff=True)) == {own.id, other.id}
