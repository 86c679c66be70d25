"""Steps that suites of unmanaged apps share: containers that lose their mark or are replaced by a stranger."""

from __future__ import annotations

import dataclasses

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.clients.inventory.values import Container
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call

RECONCILE = pb.ReconcileAppsRequest()


async def deploy_running(service: Service) -> App:
    app = await service.deploy()
    await service.platform.run()
    return await service.platform.store.get_app(app.id)


def strip(service: Service, app: App) -> None:
    """A tagger rewrites the tags: only the description names the app."""
    held = service.platform.containers.containers
    held[app.vmid or 0] = dataclasses.replace(held[app.vmid or 0], owner="", named_owner=app.id, tags=())


def replace_by_stranger(service: Service, app: App, *, owner: str = "") -> None:
    service.platform.containers.containers[app.vmid or 0] = Container(
        host_id=1, vmid=app.vmid or 0, node=app.node, name="precious", status="running", owner=owner,
        memory_used=4711, memory=1 << 30, address="10.9.9.9",
    )  # fmt: skip


async def reconcile(service: Service, app: App) -> App:
    found = await service.api.reconcile_apps(RECONCILE, call(staff=True))
    assert [one.type for one in found.findings if one.app_id == app.id] == ["unmanaged"]
    return await service.platform.store.get_app(app.id)


async def find_status(service: Service, app_id: str) -> tuple[str, str]:
    app = await service.platform.store.get_app(app_id)
    return app.status, app.error


def put_container(platform: Platform, vmid: int, owner: str, *, name: str, status: str = "running") -> None:
    """A container that a database older than reality does not know."""
    platform.containers.containers[vmid] = Container(
        host_id=1, vmid=vmid, node="pve2", name=name, status=status, owner=owner, address="10.0.0.7"
    )
