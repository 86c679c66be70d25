"""DestroyDuplicate: what carries the mark of an app and is not its container."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import ContainerManagedError, OrphanGraceError
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.errors import ContainerNotFoundError
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import put_container

RECONCILE = pb.ReconcileAppsRequest()


async def deploy_with_duplicate(service: Service) -> App:
    app = await service.deploy()
    await service.platform.run()
    put_container(service.platform, 9500, app.id, name="Copy-of-web")
    return await service.platform.store.get_app(app.id)


async def test_a_duplicate_is_destroyed_once_two_scans_and_its_grace_allow_it(service: Service) -> None:
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
async def test_the_operation_looks_again(service: Service, becomes: str) -> None:
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


async def test_an_app_that_is_worked_on_has_no_duplicate_yet(service: Service) -> None:
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


async def test_the_mark_of_an_app_of_another_host_is_a_duplicate_and_no_orphan(service: Service) -> None:
    app = await deploy_with_duplicate(service)
    await service.platform.store.change(ChangeApp(app.id, {"host_id": 2, "vmid": 777}))
    found = await service.api.reconcile_apps(pb.ReconcileAppsRequest(host_id=1), call(staff=True))
    assert {(one.type, one.vmid) for one in found.findings} == {("duplicate", 9000), ("duplicate", 9500)}


async def test_a_server_that_is_registered_twice_has_no_duplicates(service: Service) -> None:
    """Each container is then scanned for both hosts: the second is the app's own, and is never destroyed."""
    app = await deploy_with_duplicate(service)
    await service.platform.store.change(ChangeApp(app.id, {"host_id": 2}))
    found = await service.api.reconcile_apps(pb.ReconcileAppsRequest(host_id=1), call(staff=True))
    assert [one.vmid for one in found.findings] == [9500], "only the one with another VMID"


async def test_the_apps_own_container_seen_through_another_host_is_refused(service: Service) -> None:
    app = await deploy_with_duplicate(service)
    service.set_orphan_grace(timedelta(0))
    admin = call(staff=True)
    for _ in range(2):
        await service.api.reconcile_apps(RECONCILE, admin)
    containers = service.platform.containers.containers
    await service.platform.store.change(
        ChangeApp(app.id, {"host_id": 2, "vmid": 9500, "node": containers[9500].node})
    )
    request = pb.DestroyDuplicateRequest(app_id=app.id, host_id=1, vmid=9500)
    with pytest.raises(ContainerManagedError, match="hosts 2 and 1 may be the same server"):
        await service.api.destroy_duplicate(request, admin)


async def test_the_operation_spares_the_apps_own_container_seen_through_another_host(
    service: Service,
) -> None:
    app = await deploy_with_duplicate(service)
    service.set_orphan_grace(timedelta(0))
    admin = call(staff=True)
    for _ in range(2):
        await service.api.reconcile_apps(RECONCILE, admin)
    answer = await service.api.destroy_duplicate(
        pb.DestroyDuplicateRequest(app_id=app.id, host_id=1, vmid=9500), admin
    )
    containers = service.platform.containers.containers
    await service.platform.store.change(
        ChangeApp(app.id, {"host_id": 2, "vmid": 9500, "node": containers[9500].node})
    )
    await service.platform.run_to_the_end()
    assert 9500 in containers
    assert (await service.platform.store.get_operation(answer.operation_id)).status == "failed"
