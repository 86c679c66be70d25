"""RestoreBeside: a new app made of a backup, also of an app that was removed."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import timedelta

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError
from services.apps.usecases.removed_apps import forget_removed_apps
from services.common.core.errors import InvalidError
from tests.fakes.app_upgrades import (
    back_up,
    deploy,
    upgrade,
)
from tests.fakes.apps_service import Service, call, inner
from tests.fakes.removed_apps import remove_with_archive


async def restore_beside(service: Service, app: App, archive: str, **fields: int | str) -> App:
    request = pb.RestoreBesideRequest(
        operation_id=uuid.uuid4().hex,
        source_app_id=app.id,
        archive=archive,
        new_hostname="back-1",
        **fields,  # type: ignore[arg-type]
    )
    asked = dataclasses.replace(call(), caller=dataclasses.replace(inner().caller, user=call().user))
    answer = await service.internal.restore_beside(request, asked)
    await service.platform.run()
    return await service.platform.store.get_app(answer.app_id)


async def test_an_app_made_of_an_older_backup_is_of_its_version(service: Service) -> None:
    platform = service.platform
    app = await deploy(platform)
    made_by = await back_up(service, app)
    await upgrade(platform, app)
    (archive,) = platform.containers.archives
    request = pb.RestoreBesideRequest(
        operation_id=uuid.uuid4().hex,
        source_app_id=app.id,
        archive=archive,
        new_hostname="web-02",
        made_by=made_by,
    )
    beside = await platform.store.get_app((await service.internal.restore_beside(request, inner())).app_id)
    assert beside.revision == "r1"
    assert "adminer:r1" in beside.rendering.compose
    assert f"{beside.public_port}:8080" in beside.rendering.compose
    await platform.run()
    beside = await platform.store.get_app(beside.id)
    assert (beside.status, beside.error) == ("running", "")
    assert beside.vmid is not None
    container = platform.containers.containers[beside.vmid]
    assert container.memory == (beside.config.memory or 0) * 1024**2  # whatever the archive has


async def test_a_removed_app_comes_back_from_its_backup_with_its_values(service: Service) -> None:
    app, archive = await remove_with_archive(service)
    back = await restore_beside(service, app, archive, host_id=1, vmid=app.vmid or 0, owner_id=app.owner_id)
    assert (back.status, back.hostname, back.owner_id) == ("running", "back-1", app.owner_id)
    assert (back.catalog_id, back.config, back.environment) == (app.catalog_id, app.config, app.environment)
    assert (back.revision, back.secret_names, back.adopted) == (app.revision, app.secret_names, False)
    assert f"{back.public_port}:8080" in str(back.rendering.compose)


async def test_it_belongs_to_who_has_the_backup_or_who_asks_when_that_one_is_gone(service: Service) -> None:
    app, archive = await remove_with_archive(service)
    back = await restore_beside(service, app, archive, host_id=1, owner_id=2)
    assert back.owner_id == 2
    await service.api.delete_app(pb.DeleteAppRequest(app_id=back.id), call(2))
    await service.platform.run()
    assert (await restore_beside(service, app, archive, host_id=1, owner_id=99)).owner_id == 1


async def test_an_app_whose_record_is_gone_comes_back_as_a_container(service: Service) -> None:
    app, archive = await remove_with_archive(service)
    assert (
        await forget_removed_apps(service.platform.store, service.platform.backups, settled=timedelta(0)) == 1
    )
    with pytest.raises(AppNotFoundError):  # an older release of backups says nothing of the app
        await restore_beside(service, app, archive)
    back = await restore_beside(service, app, archive, host_id=1, vmid=app.vmid or 0, owner_id=1)
    assert (back.status, back.catalog_id, back.environment) == ("running", "custom", {})


async def test_the_new_app_is_made_on_the_node_that_is_named(service: Service) -> None:
    platform = service.platform
    app = await deploy(platform)
    archive = platform.containers.archive(app.vmid or 0)
    back = await restore_beside(service, app, archive, node="pve2")
    assert (back.status, back.node) == ("running", "pve2")
    assert platform.containers.containers[back.vmid or 0].node == "pve2"
    error = InvalidError("node: default has no node 'pve9'")
    platform.containers.failure["place_container"] = error
    with pytest.raises(InvalidError, match="pve9"):
        await restore_beside(service, app, archive, node="pve9")


async def test_a_new_app_is_made_on_another_host_that_sees_the_archive(service: Service) -> None:
    containers = service.platform.containers
    app, archive = await remove_with_archive(service)
    containers.seen_by.add(2)
    place: dict[str, int | str] = {
        "host_id": 1,
        "target_host_id": 2,
        "target_archive": archive,
        "node": "pve1",
    }
    back = await restore_beside(service, app, archive, vmid=app.vmid or 0, **place)
    assert (back.status, back.host_id, back.node) == ("running", 2, "pve1")
    assert [(plan.source_host_id, plan.host_id, plan.node) for plan in containers.plans] == [(1, 2, "pve1")]


async def test_the_place_is_checked_again_before_a_container_is_made(service: Service) -> None:
    containers = service.platform.containers
    app, archive = await remove_with_archive(service)
    before = set(containers.containers)
    back = await restore_beside(service, app, archive, host_id=1, target_host_id=2, node="pve1")
    assert back.status == "error"
    assert "host-2 has no storage with the archive" in back.error
    assert (set(containers.containers), back.vmid, back.public_port) == (before, None, None)
    assert containers.reserved.get(back.id) is None
