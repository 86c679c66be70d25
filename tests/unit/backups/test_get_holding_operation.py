"""GetHoldingOperation: the standing of an operation."""

from __future__ import annotations

from proximity.backups.v1 import backups_service_pb2 as pb

from tests.unit.backups.platform import Platform, call_of


async def test_an_unknown_operation_locks_nothing(platform: Platform) -> None:
    request = pb.GetHoldingOperationRequest(operation_id="never")
    assert (await platform.internal.get_holding_operation(request, call_of())).status == "unknown"


async def test_a_locked_app_is_told_apart_from_a_released_one(platform: Platform) -> None:
    call = call_of()
    await platform.create(call)
    request = pb.GetHoldingOperationRequest(operation_id=call.request_id)
    assert (await platform.internal.get_holding_operation(request, call_of())).status == "unfinished"
    platform.containers.failing.add("vzdump")
    await platform.run_all()
    failed = await platform.internal.get_holding_operation(request, call_of())
    assert (failed.status, failed.HasField("updated_at")) == ("failed", True)
