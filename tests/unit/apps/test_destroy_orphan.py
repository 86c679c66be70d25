"""DestroyOrphan: what carries the mark of no app."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import NewAppOperation
from services.apps.domain.errors import AppNotFoundError, ContainerManagedError, OrphanGraceError
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.errors import ContainerNotFoundError
from tests.fakes.apps_service import Service, call


async def test_an_orphan_is_destroyed_once_two_scans_and_its_grace_allow_it(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    containers = service.platform.containers.containers
    containers[9500] = dataclasses.replace(containers[9000], vmid=9500, owner="gone-1")
    request, admin = pb.DestroyOrphanRequest(host_id=1, vmid=9500), call(staff=True)
    with pytest.raises(ContainerNotFoundError, match="let it look first"):
        await service.api.destroy_orphan(request, admin)
    for grace in (timedelta(0), timedelta(days=1)):  # one scan is too few, then the time is too short
        service.set_orphan_grace(grace)
        (found,) = (await service.api.reconcile_apps(pb.ReconcileAppsRequest(), admin)).findings
        assert (found.type, found.vmid, found.healed) == ("orphan", 9500, False)
        assert found.destroyable_at.ToDatetime() - found.since.ToDatetime() == grace
        with pytest.raises(OrphanGraceError, match="may be destroyed from"):
            await service.api.destroy_orphan(request, admin)
    service.set_orphan_grace(timedelta(0))
    answer = await service.api.destroy_orphan(request, admin)
    with pytest.raises(AppBusyError):
        await service.api.destroy_orphan(request, call(staff=True))
    await service.platform.run()
    assert set(containers) == {9000}
    wanted = pb.GetOperationRequest(app_id="gone-1", operation_id=answer.operation_id)
    assert (await service.api.get_operation(wanted, admin)).status == "succeeded"
    with pytest.raises(AppNotFoundError):
        await service.api.get_operation(wanted, call())
    assert await service.platform.store.find_sighting("orphan", 1, vmid=9500) is None
    assert (await service.api.get_app(pb.GetAppRequest(app_id=app.id), admin)).message.status == "running"


async def test_what_holds_volumes_is_no_orphan_while_its_app_is_worked_on(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    service.set_orphan_grace(timedelta(0))
    containers, admin = service.platform.containers.containers, call(staff=True)
    containers[9500] = dataclasses.replace(containers[9000], vmid=9500, owner=f"volumes.{app.id}")
    reconcile, destroy = pb.ReconcileAppsRequest(), pb.DestroyOrphanRequest(host_id=1, vmid=9500)
    for _ in range(2):
        (found,) = (await service.api.reconcile_apps(reconcile, admin)).findings
        assert "was left by an update" in found.message
    await service.platform.act(app.id, "restart")
    with pytest.raises(ContainerManagedError, match=app.id):
        await service.api.destroy_orphan(destroy, admin)
    assert not (await service.api.reconcile_apps(reconcile, admin)).findings
    with pytest.raises(ContainerNotFoundError, match="let it look first"):
        await service.api.destroy_orphan(destroy, admin)


async def test_what_became_an_apps_again_is_no_orphan(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    service.set_orphan_grace(timedelta(0))
    containers, admin = service.platform.containers.containers, call(staff=True)
    containers[9500] = dataclasses.replace(containers[9000], vmid=9500, owner="gone-1")
    for _ in range(2):
        await service.api.reconcile_apps(pb.ReconcileAppsRequest(), admin)
    containers[9500] = dataclasses.replace(containers[9500], owner=app.id)
    with pytest.raises(ContainerManagedError, match=app.id):
        await service.api.destroy_orphan(pb.DestroyOrphanRequest(host_id=1, vmid=9500), admin)


async def test_the_audit_entry_names_the_mark_before_anything_is_written(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.deploy()
    await service.platform.run()
    service.set_orphan_grace(timedelta(0))
    containers, admin = service.platform.containers.containers, call(staff=True)
    containers[9500] = dataclasses.replace(containers[9000], vmid=9500, owner="gone-12345678")
    for _ in range(2):
        await service.api.reconcile_apps(pb.ReconcileAppsRequest(), admin)
    targets: list[str] = []
    begin = service.platform.store.begin_destruction

    async def note_target(subject: str, operation: NewAppOperation) -> None:
        targets.append(admin.audit_target)
        await begin(subject, operation)

    monkeypatch.setattr(service.platform.store, "begin_destruction", note_target)
    await service.api.destroy_orphan(pb.DestroyOrphanRequest(host_id=1, vmid=9500), admin)
    assert targets == ["app gone-12345678, container 9500, host 1"]
