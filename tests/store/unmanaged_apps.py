"""Steps that suites of unmanaged apps share: containers that lose their mark or are replaced by a stranger."""

from __future__ import annotations

import dataclasses

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.clients.inventory.values import Container
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import platform  # noqa: F401 - a fixture
from tests.store.apps_service import Service, call, inner, service  # noqa: F401 - fixtures

RECONCILE = pb.ReconcileAppsRequest()


async def deploy_running(service: Service) -> App:  # noqa: F811 - the fixture
    app = await service.deploy()
    await service.platform.run()
    return await service.platform.store.get_app(app.id)


def strip(service: Service, app: App) -> None:  # noqa: F811
    """A tagger rewrites the tags: only the description names the app."""
    held = service.platform.containers.containers
    held[app.vmid or 0] = dataclasses.replace(held[app.vmid or 0], owner="", named_owner=app.id, tags=())


def replace_by_stranger(service: Service, app: App, *, owner: str = "") -> None:  # noqa: F811
    service.platform.containers.containers[app.vmid or 0] = Container(
        host_id=1, vmid=app.vmid or 0, node=app.node, name="precious", status="running", owner=owner,
        memory_used=4711, memory=1 << 30, address="10.9.9.9",
    )  # fmt: skip


async def reconcile(service: Service, app: App) -> App:  # noqa: F811
    found = await service.api.reconcile_apps(RECONCILE, call(staff=True))
    assert [one.type for one in found.findings if one.app_id == app.id] == ["unmanaged"]
    return await service.platform.store.get_app(app.id)


async def find_status(service: Service, app_id: str) -> tuple[str, str]:  # noqa: F811
    app = await service.platform.store.get_app(app_id)
    return app.status, app.error
