"""BeginOperation: an app is locked for an operation of another service."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.errors import AppStateError
from services.clients.apps.errors import AppBusyError
from tests.fakes.apps_service import Service, call, inner


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


async def test_a_call_beside_its_repetition_gets_the_same_lock(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an answer is late: were one of them refused, the caller would withdraw what the app is locked for."""
    app = await service.deploy()
    await service.platform.run()
    store = service.platform.store
    begin = store.begin
    request = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="backup")
    repetitions, locks = [request], list[pb.AppHold]()

    async def begin_late(*arguments: Any, **options: Any) -> None:
        while repetitions:
            locks.append(await service.internal.begin_operation(repetitions.pop(), inner()))
        await begin(*arguments, **options)

    monkeypatch.setattr(store, "begin", begin_late)
    late = await service.internal.begin_operation(request, inner())
    assert locks == [late]
    assert (late.status, late.operation_id) == ("running", request.operation_id)


@pytest.mark.parametrize(("changes", "locked"), [(2, True), (3, False)])
async def test_a_change_of_an_app_at_rest_does_not_make_it_busy(
    service: Service, monkeypatch: pytest.MonkeyPatch, changes: int, locked: bool
) -> None:
    """As when a backup that has just ended is noted in its app: the client goes on at once."""
    app = await service.deploy()
    await service.platform.run()
    store = service.platform.store
    begin, left = store.begin, list(range(changes))

    async def begin_late(*arguments: Any, **options: Any) -> None:
        if left:
            await store.change(ChangeApp(app.id, {"name": f"Change {left.pop()}"}))
        await begin(*arguments, **options)

    monkeypatch.setattr(store, "begin", begin_late)
    request = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="restore")
    if locked:
        assert (await service.internal.begin_operation(request, inner())).status == "running"
    else:
        with pytest.raises(AppBusyError):
            await service.internal.begin_operation(request, inner())


async def test_an_action_begins_on_the_app_as_it_is_now(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await service.deploy()
    await service.platform.run()
    store = service.platform.store
    begin, changes = store.begin, [ChangeApp(app.id, {"name": "Changed meanwhile"})]

    async def begin_late(*arguments: Any, **options: Any) -> None:
        while changes:
            await store.change(changes.pop())
        await begin(*arguments, **options)

    monkeypatch.setattr(store, "begin", begin_late)
    request = pb.PerformAppActionRequest(app_id=app.id, action="restart")
    assert (await service.api.perform_app_action(request, call())).success


async def test_an_app_without_a_container_is_not_locked(service: Service) -> None:
    app = await service.deploy()
    service.platform.containers.answers = False
    await service.platform.run_to_the_end()
    request = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="backup")
    with pytest.raises(AppStateError, match="has no container"):
        await service.internal.begin_operation(request, inner())
    assert await service.platform.store.find_unfinished(app.id) is None


async def test_a_lock_says_whether_the_app_ran_before_it_came_into_error(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    begin = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="restore")
    assert (await service.internal.begin_operation(begin, inner())).settled_status == "running"
    assert (await service.internal.begin_operation(begin, inner())).settled_status == "running"
    await _fail(service, begin)
    for _ in range(2):
        again = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="restore")
        hold = await service.internal.begin_operation(again, inner())
        assert (hold.status, hold.settled_status) == ("error", "running")
        await _fail(service, again)
    await service.api.perform_app_action(pb.PerformAppActionRequest(app_id=app.id, action="stop"), call())
    await service.platform.run()
    last = pb.BeginOperationRequest(app_id=app.id, operation_id=uuid.uuid4().hex, kind="restore")
    assert (await service.internal.begin_operation(last, inner())).settled_status == "stopped"
    await _fail(service, last)
    hold = await service.internal.get_app_hold(pb.GetAppHoldRequest(app_id=app.id), inner())
    assert (hold.status, hold.settled_status) == ("error", "stopped")


async def _fail(service: Service, begun: pb.BeginOperationRequest) -> None:
    end = pb.FinishOperationRequest(
        app_id=begun.app_id,
        operation_id=begun.operation_id,
        succeeded=False,
        status="error",
        message="broken",
    )
    await service.internal.finish_operation(end, inner())
