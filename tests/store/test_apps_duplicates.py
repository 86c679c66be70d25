"""Containers that carry an app's mark already: never a second one is made, and none is destroyed without a word."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import (
    AppBusyError,
    ContainerManagedError,
    ContainerNotFoundError,
    OrphanGraceError,
)
from services.apps.usecases.clone_app import copy_app
from services.clients.inventory.values import Container, Task
from services.common.core.errors import UnavailableError
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import Platform, asked, platform  # noqa: F401 - a fixture
from tests.store.apps_service import Service, call, service  # noqa: F401 - fixtures

RECONCILE = pb.ReconcileAppsRequest()


def put(platform: Platform, vmid: int, owner: str, *, name: str, status: str = "running") -> None:  # noqa: F811
    """A container that a database older than reality does not know."""
    platform.containers.containers[vmid] = Container(
        host_id=1, vmid=vmid, node="pve2", name=name, status=status, owner=owner, address="10.0.0.7"
    )


def marked(platform: Platform, app: App) -> set[int]:  # noqa: F811
    return {one.vmid for one in platform.containers.containers.values() if one.owner == app.id}


async def test_a_deployment_takes_over_what_it_made_in_a_forgotten_past(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put(platform, 9077, app.id, name=app.hostname)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, app.node) == ("running", 9077, "pve2")
    assert marked(platform, app) == {9077}
    assert platform.containers.reserved == {app.id: 9077}
    logs, _ = await platform.store.list_logs(app.id, limit=100)
    assert any("is taken over; no second one is made" in line.message for line in logs)


async def test_what_was_reserved_before_is_given_up_for_it(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    create = platform.containers.create_container

    async def fail_once(*_: object, **__: object) -> Task:
        """The id 9000 is reserved and written down; there is no container yet when the past comes to light."""
        platform.containers.create_container = create  # type: ignore[method-assign]
        put(platform, 9077, app.id, name=app.hostname)
        raise UnavailableError("create did not work")

    platform.containers.create_container = fail_once  # type: ignore[method-assign]
    await platform.run_to_the_end()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid) == ("running", 9077)
    assert (marked(platform, app), platform.containers.reserved) == ({9077}, {app.id: 9077})


@pytest.mark.parametrize("kind", ["clone_app", "restore_beside"])
async def test_copies_take_theirs_over_as_well(platform: Platform, kind: str) -> None:  # noqa: F811
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    archive = platform.containers.archive(source.vmid or 0) if kind == "restore_beside" else ""
    copy = await copy_app(platform.dependencies, source, asked(), hostname="web-02", archive=archive)
    put(platform, 9077, copy.id, name=copy.hostname)
    platform.containers.docker.add(9077)
    await platform.run()
    copy = await platform.store.get_app(copy.id)
    assert (copy.status, copy.vmid) == ("running", 9077)
    assert marked(platform, copy) == {9077}


async def test_a_failure_does_not_destroy_what_was_taken_over(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put(platform, 9077, app.id, name=app.hostname)
    platform.containers.answers = False
    await platform.run_to_the_end()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", 9077, {9077})
    assert app.public_port is not None
    platform.containers.answers = True
    await platform.act(app.id, "start")
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == "running"


async def test_what_runs_already_is_not_destroyed_by_a_failure(platform: Platform) -> None:  # noqa: F811
    """The reservation is known, the operation's own steps are not: the database of apps alone is older."""
    app = await platform.deploy()
    vmid = await platform.containers.reserve_vmid(1, app.id)
    put(platform, vmid, app.id, name=app.hostname)
    platform.containers.answers = False
    await platform.run_to_the_end()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", vmid, {vmid})


async def test_a_copy_made_in_proxmox_is_not_taken_for_the_apps_own(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put(platform, 9077, app.id, name=app.hostname)
    put(platform, 9078, app.id, name="Copy-of-web")
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("running", 9077, {9077, 9078})


async def test_where_it_cannot_be_told_none_is_made_and_none_destroyed(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put(platform, 9077, app.id, name=app.hostname)
    put(platform, 9078, app.id, name=app.hostname)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", None, {9077, 9078})
    assert "9077 of host 1, 9078 of host 1 carries the mark" in app.error


async def test_one_on_another_host_is_no_reason_for_a_second(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put(platform, 9077, app.id, name=app.hostname)
    found = platform.containers.containers[9077]
    platform.containers.containers[9077] = dataclasses.replace(found, host_id=2)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid) == ("error", None)
    assert "9077 of host 2" in app.error


async def test_an_id_that_another_app_has_is_not_taken_over(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    platform.containers.reserved["other-1"] = 9077
    put(platform, 9077, app.id, name=app.hostname)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", None, {9077})
    assert "another app has its id" in app.error


async def deploy_with_duplicate(service: Service) -> App:  # noqa: F811
    app = await service.deploy()
    await service.platform.run()
    put(service.platform, 9500, app.id, name="Copy-of-web")
    return await service.platform.store.get_app(app.id)


async def test_a_duplicate_is_destroyed_once_two_scans_and_its_grace_allow_it(service: Service) -> None:  # noqa: F811
    app = await deploy_with_duplicate(service)
    containers, admin = service.platform.containers.containers, call(staff=True)
    request = pb.DestroyDuplicateRequest(app_id=app.id, host_id=1, vmid=9500)
    with pytest.raises(ContainerNotFoundError, match="let it look first"):
        await service.api.destroy_duplicate(request, admin)
    for grace in (timedelta(0), timedelta(days=1)):
        service.set_orphan_grace(grace)
        (found,) = (await service.api.reconcile_apps(RECONCILE, admin)).findings
        assert (found.type, found.app_id, found.vmid, found.healed) == ("duplicate", app.id, 9500, False)
        assert found.destroyable_at.ToDatetime() - found.since.ToDatetime() == grace
        assert "duplicates/destroy" in found.message
        with pytest.raises(OrphanGraceError):
            await service.api.destroy_duplicate(request, admin)
    service.set_orphan_grace(timedelta(0))
    with pytest.raises(ContainerManagedError, match="is no orphan but a duplicate"):
        await service.api.destroy_orphan(pb.DestroyOrphanRequest(host_id=1, vmid=9500), admin)
    with pytest.raises(ContainerNotFoundError):
        await service.api.destroy_duplicate(
            pb.DestroyDuplicateRequest(app_id="other-1", host_id=1, vmid=9500), admin
        )
    answer = await service.api.destroy_duplicate(request, admin)
    with pytest.raises(AppBusyError):
        await service.api.destroy_duplicate(request, call(staff=True))
    await service.platform.run()
    assert set(containers) == {app.vmid}
    assert service.platform.containers.reserved == {app.id: app.vmid}, "the app's own reservation stays"
    location = dict(admin.headers)["location"]
    subject = location.split("/")[3]
    operation = pb.GetOperationRequest(app_id=subject, operation_id=answer.operation_id)
    assert (await service.api.get_operation(operation, admin)).status == "succeeded"
    assert not (await service.api.reconcile_apps(RECONCILE, admin)).findings
    assert (await service.platform.store.get_app(app.id)).status == "running"


@pytest.mark.parametrize("becomes", ["own", "another's", "nobody's"])
async def test_the_operation_looks_again(service: Service, becomes: str) -> None:  # noqa: F811
    app = await deploy_with_duplicate(service)
    service.set_orphan_grace(timedelta(0))
    containers, admin = service.platform.containers.containers, call(staff=True)
    for _ in range(2):
        await service.api.reconcile_apps(RECONCILE, admin)
    request = pb.DestroyDuplicateRequest(app_id=app.id, host_id=1, vmid=9500)
    answer = await service.api.destroy_duplicate(request, admin)
    if becomes == "own":
        await service.platform.store.change(ChangeApp(app.id, {"vmid": 9500}))
    else:
        owner = "other-1" if becomes == "another's" else ""
        containers[9500] = dataclasses.replace(containers[9500], owner=owner)
    await service.platform.run_to_the_end()
    assert 9500 in containers
    assert (await service.platform.store.get_operation(answer.operation_id)).status == "failed"


async def test_an_app_that_is_worked_on_has_no_duplicate_yet(service: Service) -> None:  # noqa: F811
    app = await deploy_with_duplicate(service)
    service.set_orphan_grace(timedelta(0))
    admin = call(staff=True)
    for _ in range(2):
        await service.api.reconcile_apps(RECONCILE, admin)
    await service.platform.act(app.id, "restart")
    with pytest.raises(AppBusyError):
        await service.api.destroy_duplicate(
            pb.DestroyDuplicateRequest(app_id=app.id, host_id=1, vmid=9500), admin
        )
    assert not (await service.api.reconcile_apps(RECONCILE, admin)).findings


async def test_the_mark_of_an_app_of_another_host_is_a_duplicate_and_no_orphan(service: Service) -> None:  # noqa: F811
    app = await deploy_with_duplicate(service)
    await service.platform.store.change(ChangeApp(app.id, {"host_id": 2, "vmid": 777}))
    found = await service.api.reconcile_apps(pb.ReconcileAppsRequest(host_id=1), call(staff=True))
    assert {(one.type, one.vmid) for one in found.findings} == {("duplicate", 9000), ("duplicate", 9500)}
