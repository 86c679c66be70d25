"""Steps that several suites of apps take: deploy, upgrade, roll back, back up, restore."""

from __future__ import annotations

import asyncio
import uuid

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.usecases.upgrades import rollback_app, upgrade_app
from tests.fakes.apps_platform import Platform, asked
from tests.fakes.apps_service import Service, inner

COMPOSE = "/opt/proximity/compose.yaml"


async def deploy(
    platform: Platform, *, revisions: tuple[str, ...] = ("r1", "r2"), runtime: str = "compose"
) -> App:
    """An app of the first revision, the others published after it."""
    platform.catalog.revisions = [revisions[0]]
    app = await platform.deploy(runtime=runtime)
    await platform.run()
    platform.catalog.revisions = list(revisions)
    return await platform.store.get_app(app.id)


async def settle(platform: Platform, app_id: str) -> App:
    """Run what there is to run until the app rests; waits and postponed clean-ups take fractions of a second here."""
    async with asyncio.timeout(60):
        while not (app := await platform.store.get_app(app_id)).is_stable:
            await platform.run()
            await asyncio.sleep(0.02)
    return app


async def upgrade(platform: Platform, app: App, *, revision: str = "") -> App:
    app = await platform.store.get_app(app.id)
    await upgrade_app(platform.dependencies, app.id, requester=asked(), revision=revision)
    return await settle(platform, app.id)


async def roll_back(platform: Platform, app: App) -> App:
    app = await platform.store.get_app(app.id)
    await rollback_app(platform.dependencies, app.id, requester=asked())
    return await settle(platform, app.id)


def read_definition(platform: Platform, app: App) -> str:
    return platform.containers.files[app.vmid or 0, COMPOSE]


def read_what_runs(platform: Platform, app: App) -> str:
    containers, vmid = platform.containers, app.vmid or 0
    return containers.images[vmid] if app.runtime == "oci" else containers.files[vmid, COMPOSE]


async def list_messages(platform: Platform, app: App) -> list[str]:
    logs, _ = await platform.store.list_logs(app.id, limit=200)
    return [line.message for line in logs]


async def deploy_image(platform: Platform) -> App:
    """An app that is an image run as the container, with something in each volume."""
    app = await deploy(platform, runtime="oci")
    platform.containers.volumes[app.vmid or 0] |= {"/data": "mine", "/config": "also mine"}
    return app


async def back_up(service: Service, app: App) -> str:
    """A backup that the backups service makes; its operation."""
    operation_id = uuid.uuid4().hex
    held = pb.BeginOperationRequest(app_id=app.id, operation_id=operation_id, kind="backup")
    await service.internal.begin_operation(held, inner())
    done = pb.FinishOperationRequest(app_id=app.id, operation_id=operation_id, succeeded=True)
    await service.internal.finish_operation(done, inner())
    return operation_id


async def restore(service: Service, app: App, made_by: str, *, succeeded: bool = True) -> App:
    """A restore of the backups service; what apps makes of it."""
    operation_id = uuid.uuid4().hex
    held = pb.BeginOperationRequest(app_id=app.id, operation_id=operation_id, kind="restore", made_by=made_by)
    await service.internal.begin_operation(held, inner())
    done = pb.FinishOperationRequest(app_id=app.id, operation_id=operation_id, succeeded=succeeded)
    await service.internal.finish_operation(done, inner())
    return await service.platform.store.get_app(app.id)
