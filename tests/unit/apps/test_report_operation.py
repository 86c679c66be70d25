"""ReportOperation: progress of an operation of another service."""

from __future__ import annotations

import uuid

from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, call, inner
from tests.fakes.removed_apps import deploy_running


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


async def test_what_holds_an_operation_up_is_shown_until_the_next_report(service: Service) -> None:
    app = await deploy_running(service)
    begin = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="backup")
    await service.internal.begin_operation(begin, inner())
    report = pb.ReportOperationRequest(app_id=app.id, operation_id=begin.operation_id, step="dump")
    for reason in ("container 9000 is locked (snapshot)", ""):
        report.waiting_for = reason
        await service.internal.report_operation(report, inner())
        operation = await service.platform.store.get_operation(begin.operation_id)
        assert operation.waiting_for == reason


async def test_a_report_after_the_end_changes_nothing(service: Service) -> None:
    app = await deploy_running(service)
    begin = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="backup")
    await service.internal.begin_operation(begin, inner())
    report = pb.ReportOperationRequest(
        app_id=app.id, operation_id=begin.operation_id, progress=140, message="late", level="no such level"
    )
    await service.internal.report_operation(report, inner())
    operation = await service.platform.store.get_operation(begin.operation_id)
    lines, total = await service.platform.store.list_logs(app.id, limit=1)
    assert (operation.progress, lines[0].level, lines[0].message) == (100, "info", "late")
    end = pb.FinishOperationRequest(app_id=app.id, operation_id=begin.operation_id, succeeded=True)
    await service.internal.finish_operation(end, inner())
    report.progress = 10
    await service.internal.report_operation(report, inner())
    assert (await service.platform.store.get_operation(begin.operation_id)).progress == 100
    assert (await service.platform.store.list_logs(app.id, limit=1))[1] == total
