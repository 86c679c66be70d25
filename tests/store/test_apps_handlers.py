"""Handlers on both databases: what the wire gets."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from datetime import timedelta

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import (
    AppBusyError,
    AppNotFoundError,
    ContainerManagedError,
    ContainerNotFoundError,
    OrphanGraceError,
)
from services.apps.handlers import AppsHandlers, AppsInternalHandlers
from services.common.core.errors import InvalidError
from services.common.rpc.call import Call
from services.common.rpc.handler_lookup import snake_case
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import Platform, platform  # noqa: F401 - a fixture
from tests.store.apps_service import Service, call, inner, service  # noqa: F401 - fixtures


def test_every_rpc_has_a_handler() -> None:
    names = pb.DESCRIPTOR.services_by_name
    pairs = ((names["AppsService"], AppsHandlers), (names["AppsInternalService"], AppsInternalHandlers))
    missing = [
        method.full_name
        for descriptor, kind in pairs
        for method in descriptor.methods
        if not hasattr(kind, snake_case(method.name))
    ]
    assert missing == []


async def test_an_app_shows_no_secret_and_its_status_on_the_way(service: Service) -> None:
    app = await service.deploy(config={"memory": 512})
    assert (app.status, app.environment["PASSWORD"]) == ("deploying", "********")
    assert app.public_port >= 8100
    status = await service.api.get_app_status(pb.GetAppStatusRequest(app_id=app.id), call())
    assert (status.operation, status.step, status.step_count) == ("deploy_app", "reserve_vmid", 8)
    await service.platform.run()
    app = (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message
    assert (app.status, app.memory_total) == ("running", 512 * 1024.0**2)
    status = await service.api.get_app_status(pb.GetAppStatusRequest(app_id=app.id), call())
    assert not status.HasField("operation")


async def test_an_unknown_key_of_config_is_refused(service: Service) -> None:
    with pytest.raises(InvalidError, match=r"config\.ram"):
        await service.deploy(config={"ram": 1})


async def test_starting_a_running_app_answers_200_and_queues_nothing(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    asked = call()
    request = pb.PerformAppActionRequest(app_id=app.id, action="start")
    answer = await service.api.perform_app_action(request, asked)
    assert (answer.success, answer.HasField("operation_id"), asked.http_status) == (True, False, 200)
    assert await service.platform.store.find_unfinished(app.id) is None


async def test_only_the_owner_and_administrators_see_an_app(service: Service) -> None:
    app = await service.deploy(user=1)
    request = pb.GetAppRequest(app_id=app.id)
    with pytest.raises(AppNotFoundError):
        await service.api.get_app(request, call(2))
    assert (await service.api.get_app(request, call(2, staff=True))).message.id == app.id
    assert (await service.api.list_apps(pb.ListAppsRequest(), call(2))).message.total == 0
    assert (await service.api.list_apps(pb.ListAppsRequest(search="WEB"), call(1))).message.total == 1


async def test_events_tell_the_log_and_end_with_the_removal(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    seen: list[str] = []
    told = asyncio.Event()

    async def watch() -> None:
        watched = dataclasses.replace(call(), metadata={"last-event-id": "0"})
        async for body in service.api.watch_app_events(pb.WatchAppEventsRequest(app_id=app.id), watched):
            seen.append(body.data.decode())
            if "event: status" in seen[-1]:
                told.set()

    task = asyncio.create_task(watch())
    async with asyncio.timeout(10):
        await told.wait()
        await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
        await service.platform.run()
        await task
    assert "Reserving a container id" in seen[1]
    assert "event: removed" in seen[-1]


async def test_a_held_app_is_busy_until_the_holder_ends(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    request = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="backup")
    first = await service.internal.begin_operation(request, inner())
    again = await service.internal.begin_operation(request, inner())
    assert (first.status, again.status, again.operation_id) == ("running", "running", request.operation_id)
    other = pb.BeginOperationRequest(app_id=app.id, operation_id="x", kind="restore")
    with pytest.raises(AppBusyError):
        await service.internal.begin_operation(other, inner())
    await service.internal.report_operation(
        pb.ReportOperationRequest(
            app_id=app.id, operation_id=request.operation_id, progress=40, message="40 %"
        ),
        inner(),
    )
    status = await service.api.get_app_status(pb.GetAppStatusRequest(app_id=app.id), call())
    assert (status.status, status.progress) == ("backing_up", 40)
    done = pb.FinishOperationRequest(app_id=app.id, operation_id=request.operation_id, succeeded=True)
    await service.internal.finish_operation(done, inner())
    await service.internal.finish_operation(done, inner())
    assert (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.status == "running"


async def test_the_status_of_an_operation_of_another_service_shows_its_step_and_time(
    service: Service,
) -> None:
    app = await service.deploy()
    await service.platform.run()
    asked = pb.GetAppStatusRequest(app_id=app.id)
    for times in range(2):
        operation_id = uuid.uuid4().hex
        request = pb.BeginOperationRequest(app_id=app.id, operation_id=operation_id, kind="restore")
        await service.internal.begin_operation(request, inner())
        step = pb.ReportOperationRequest(
            app_id=app.id,
            operation_id=operation_id,
            progress=10,
            step="restore_archive",
            step_description="Restoring the archive",
            step_index=2,
            step_count=5,
        )
        await service.internal.report_operation(step, inner())
        status = await service.api.get_app_status(asked, call())
        assert (status.step, status.step_description, status.step_index, status.step_count) == (
            "restore_archive",
            "Restoring the archive",
            2,
            5,
        )
        assert (status.determinate, status.HasField("expected_s")) == (bool(times), bool(times))
        done = pb.FinishOperationRequest(app_id=app.id, operation_id=operation_id, succeeded=True)
        await service.internal.finish_operation(done, inner())


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
    assert await service.platform.store.find_sighting("orphan", 1, 9500) is None
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


async def test_operations_are_shown_as_they_are_now(service: Service) -> None:
    app = await service.deploy()

    async def show(user: Call, page: int = 1) -> pb.ListOperationsResponse:
        request = pb.ListOperationsRequest(app_id=app.id, page=page)
        return (await service.api.list_operations(request, user)).message

    assert [each.status for each in (await show(call())).operations] == ["queued"]
    operation = await service.platform.operations.claim_next("w")
    assert operation is not None
    assert [each.worker for each in (await show(call())).operations] == ["w"]
    for known in ([], ["UPID:a"]):  # what is noted of a step shows as well
        assert [list(each.steps[0].upids) for each in (await show(call())).operations] == [known]
        await service.platform.operations.note_upid(operation, 0, "UPID:a")
    with pytest.raises(AppNotFoundError):
        await show(call(user=2))
    assert ((await show(call(), 2)).total, (await show(call(staff=True))).total) == (1, 1)
