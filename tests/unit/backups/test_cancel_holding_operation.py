"""CancelHoldingOperation: the worker stops, and the app is released."""

from __future__ import annotations

from proximity.backups.v1 import backups_service_pb2 as pb

from tests.unit.backups.platform import Platform, call_of


async def test_a_cancelled_backup_leaves_no_archive_and_releases_the_app(platform: Platform) -> None:
    call = call_of()
    backup_id = await platform.create(call)
    request = pb.CancelHoldingOperationRequest(operation_id=call.request_id)
    standing = await platform.internal.cancel_holding_operation(request, call_of())
    assert standing.status == "unfinished"
    await platform.run_all()
    assert (await platform.get(backup_id)).status == "failed"
    assert (platform.containers.archives, platform.apps.locks) == ({}, {})
    assert (await platform.internal.cancel_holding_operation(request, call_of())).status == "failed"


async def test_an_operation_that_has_ended_stays_as_it_is(platform: Platform) -> None:
    call = call_of()
    backup_id = await platform.create(call)
    await platform.run_all()
    request = pb.CancelHoldingOperationRequest(operation_id=call.request_id)
    assert (await platform.internal.cancel_holding_operation(request, call_of())).status == "succeeded"
    assert (await platform.get(backup_id)).status == "completed"


async def test_an_unknown_operation_cannot_be_cancelled(platform: Platform) -> None:
    request = pb.CancelHoldingOperationRequest(operation_id="never")
    assert (await platform.internal.cancel_holding_operation(request, call_of())).status == "unknown"
