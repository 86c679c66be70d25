"""Steps that suites of UpdateApp share."""

from __future__ import annotations

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, call


async def deploy_running(service: Service) -> app_pb2.App:
    app: app_pb2.App = await service.deploy(config={"memory": 512, "cores": 2}, environment={"THEME": "dark"})
    await service.platform.run()
    return app


async def update(service: Service, app_id: str, **fields: object) -> app_pb2.App:
    return await service.api.update_app(pb.UpdateAppRequest(app_id=app_id, **fields), call())  # type: ignore[arg-type]


async def list_kinds(service: Service, app_id: str) -> list[str]:
    found, _ = await service.platform.store.list_operations(app_id, page=1, per_page=20)
    return [one.kind for one in found]
