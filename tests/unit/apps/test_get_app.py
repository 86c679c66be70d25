"""GetApp: one app, for its owner and for administrators."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.errors import (
    AppNotFoundError,
)
from services.clients.catalog.values import ItemProbe
from tests.fakes.app_upgrades import (
    deploy,
    settle,
)
from tests.fakes.apps_service import Service, call


async def test_only_the_owner_and_administrators_see_an_app(service: Service) -> None:
    app = await service.deploy(user=1)
    request = pb.GetAppRequest(app_id=app.id)
    with pytest.raises(AppNotFoundError):
        await service.api.get_app(request, call(2))
    assert (await service.api.get_app(request, call(2, staff=True))).message.id == app.id
    assert (await service.api.list_apps(pb.ListAppsRequest(), call(2))).message.total == 0
    assert (await service.api.list_apps(pb.ListAppsRequest(search="WEB"), call(1))).message.total == 1


async def test_apps_say_that_an_update_is_available(service: Service) -> None:
    app = await deploy(service.platform)
    newest = service.updates
    assert not (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.HasField("update")
    await newest.refresh()
    shown = (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message
    assert (shown.update.revision, shown.update.version) == ("r2", "version r2")
    (listed,) = (await service.api.list_apps(pb.ListAppsRequest(), call())).message.apps
    assert listed.update.revision == "r2"
    asked_call = call()
    answer = await service.api.upgrade_app(pb.UpgradeAppRequest(app_id=app.id), asked_call)
    assert (answer.operation_id, answer.app_id) == (asked_call.request_id, app.id)
    await settle(service.platform, app.id)
    assert not (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.HasField("update")
    await service.api.rollback_app(pb.RollbackAppRequest(app_id=app.id), call())
    await settle(service.platform, app.id)
    assert (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.revision == "r1"


@pytest.mark.parametrize(
    ("probe", "url", "page"),
    [
        (ItemProbe(), "http://10.0.0.7:8080", True),
        (ItemProbe(scheme="http", port=8080), "http://10.0.0.7:8080", True),
        (ItemProbe(scheme="https", port=8080), "https://10.0.0.7:8080", True),
        (ItemProbe(scheme="tcp", port=8080), "tcp://10.0.0.7:8080", False),
    ],
)
async def test_the_url_has_the_protocol_that_the_item_declares(
    service: Service, probe: ItemProbe, url: str, page: bool
) -> None:
    app = await service.deploy()
    await service.platform.run()
    stored = await service.platform.store.get_app(app.id)
    fields = {"address": "10.0.0.7", "internal_port": 8080, "published": False}
    change = ChangeApp(app.id, {**fields, "rendering": replace(stored.rendering, probe=probe)})
    await service.platform.store.change(change)
    shown = (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message
    assert (shown.url, shown.HasField("iframe_url")) == (url, page)
