"""FinishOperation: the end of an operation of another service."""

from __future__ import annotations

import uuid

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppStateError
from services.common.core.errors import InvalidError
from tests.fakes.app_upgrades import (
    back_up,
    deploy,
    restore,
    roll_back,
    upgrade,
)
from tests.fakes.apps_service import Service, inner
from tests.fakes.removed_apps import deploy_running


async def test_a_restored_backup_brings_its_version_back(service: Service) -> None:
    platform = service.platform
    app = await deploy(platform, revisions=("r1", "r2", "r3"))
    first = await back_up(service, app)
    app = await upgrade(platform, app, revision="r2")
    second = await back_up(service, app)
    app = await upgrade(platform, app)
    assert app.revision == "r3"
    app = await restore(service, app, second, succeeded=False)
    assert app.revision == "r3"
    app = await restore(service, app, second)
    assert (app.revision, app.rendering.version) == ("r2", "version r2")
    assert "adminer:r2" in app.rendering.compose
    app = await roll_back(platform, app)
    assert app.revision == "r1"
    app = await upgrade(platform, app)
    app = await restore(service, app, first)
    assert (app.revision, await platform.store.find_upgrade(app.id)) == ("r1", None)
    with pytest.raises(AppStateError, match="no update to go back from"):
        await roll_back(platform, app)
    assert (await restore(service, app, "of-nobody")).revision == "r1"


async def test_a_backup_that_an_update_or_a_way_back_made_brings_its_version_back(service: Service) -> None:
    platform = service.platform
    app = await upgrade(platform, await deploy(platform))
    (by_upgrade,) = platform.backups.made
    app = await roll_back(platform, app)
    (by_rollback,) = set(platform.backups.made) - {by_upgrade}
    app = await restore(service, app, by_rollback)
    assert (app.revision, app.rendering.version) == ("r2", "version r2")
    assert (await restore(service, app, by_upgrade)).revision == "r1"


async def test_a_status_that_no_app_stays_in_is_refused(service: Service) -> None:
    app = await deploy_running(service)
    begin = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="restore")
    await service.internal.begin_operation(begin, inner())
    end = pb.FinishOperationRequest(
        app_id=app.id, operation_id=begin.operation_id, succeeded=True, status="deploying"
    )
    with pytest.raises(InvalidError, match="status: 'deploying' is not one of error, running, stopped"):
        await service.internal.finish_operation(end, inner())
    assert await service.platform.store.find_unfinished(app.id) is not None


async def test_a_failure_puts_the_app_in_the_status_and_its_reason_in_the_log(service: Service) -> None:
    app = await deploy_running(service)
    begin = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="restore")
    await service.internal.begin_operation(begin, inner())
    end = pb.FinishOperationRequest(
        app_id=app.id, operation_id=begin.operation_id, message="the disk is full", status="error"
    )
    await service.internal.finish_operation(end, inner())
    found = await service.platform.store.get_app(app.id)
    assert (found.status, found.error) == ("error", "the disk is full")
    operation = await service.platform.store.get_operation(begin.operation_id)
    assert (operation.status, operation.error) == ("failed", "the disk is full")
    lines, _ = await service.platform.store.list_logs(app.id, limit=1)
    assert (lines[0].level, lines[0].message) == ("error", "the disk is full")
