"""Steps that suites of removed apps share: deploy, delete, keep an archive."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError
from tests.fakes.apps_service import Service, call


async def deploy_running(service: Service) -> App:
    app = await service.deploy(environment={"THEME": "dark"})
    await service.platform.run()
    return await service.platform.store.get_app(app.id)


async def delete(service: Service, app_id: str, **fields: str) -> pb.DeleteAppResponse:
    return await service.api.delete_app(pb.DeleteAppRequest(app_id=app_id, **fields), call())


async def remove_with_archive(service: Service) -> tuple[App, str]:
    app = await deploy_running(service)
    archive = service.platform.containers.archive(app.vmid or 0)
    await delete(service, app.id)
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.platform.store.get_app(app.id)
    return app, archive
