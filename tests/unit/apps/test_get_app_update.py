"""GetAppUpdate: what an update changes and needs."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, AppStateError, NotAvailableError
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.values import Ref
from services.common.core.errors import InvalidError
from tests.fakes.app_upgrades import settle
from tests.fakes.apps_service import Service, call
from tests.fakes.catalog import FakeCatalog


async def upgrade(service: Service, app_id: str, **fields: object) -> pb.AppOperationResponse:
    return await service.api.upgrade_app(pb.UpgradeAppRequest(app_id=app_id, **fields), call())  # type: ignore[arg-type]


@pytest.mark.parametrize("runtime", ["compose", "oci"])
async def test_an_update_says_what_it_needs_and_takes_it(service: Service, runtime: str) -> None:
    catalog: FakeCatalog = service.platform.catalog
    app = await service.deploy(config={"runtime": runtime}, environment={"EXTRA": "1"})
    await service.platform.run()
    catalog.revisions, catalog.required = ["r1", "r2"], {"r2": ("SITE_URL",)}
    request = pb.GetAppUpdateRequest(app_id=app.id)
    found = await service.api.get_app_update(request, call())
    assert (found.available, found.revision, found.current_revision) == (True, "r2", "r1")
    assert [(one.before, one.after) for one in found.images] == [("adminer:r1", "adminer:r2")]
    assert [one.name for one in found.added_inputs] == ["SITE_URL"]
    assert [(need.name, need.reason) for need in found.needs] == [("SITE_URL", "is required")]
    with pytest.raises(InvalidError, match="SITE_URL"):
        await upgrade(service, app.id)
    await upgrade(service, app.id, environment={"SITE_URL": "https://x.example.org"}, unset=["EXTRA"])
    after = await settle(service.platform, app.id)
    assert (after.status, after.revision) == ("running", "r2")
    assert (after.given["SITE_URL"], "EXTRA" in after.given) == ("https://x.example.org", False)
    found = await service.api.get_app_update(request, call())
    assert not found.available
    with pytest.raises(AppStateError) as refused:
        await upgrade(service, app.id)
    assert list(found.obstacles) == [refused.value.message]
    catalog.revisions.append("r3")
    assert not (await service.api.get_app_update(request, call())).obstacles
    await service.api.perform_app_action(pb.PerformAppActionRequest(app_id=app.id, action="stop"), call())
    found = await service.api.get_app_update(request, call())
    with pytest.raises(AppBusyError) as busy:
        await upgrade(service, app.id)
    assert list(found.obstacles) == [busy.value.message]


async def test_an_adopted_app_has_no_updates(service: Service) -> None:
    service.platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    adopt = pb.AdoptContainerRequest(vmid=300, node_name="pve1", host_id=1)
    adopted = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    with pytest.raises(NotAvailableError, match="was adopted"):
        await service.api.get_app_update(pb.GetAppUpdateRequest(app_id=adopted.app_id), call(staff=True))


async def test_the_update_of_an_app_of_another_user_is_not_found(service: Service) -> None:
    app = await service.deploy(user=1)
    with pytest.raises(AppNotFoundError):
        await service.api.get_app_update(pb.GetAppUpdateRequest(app_id=app.id), call(2))
