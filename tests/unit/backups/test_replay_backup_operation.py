"""ReplayBackupOperation: a clean-up that was given up is resumed."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.errors import OperationNotDeadError
from services.backups.store import build_operation_store
from services.common.operations.model import OperationNotFoundError
from tests.unit.backups.platform import ADMIN, Platform, call_of


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "in time"])
async def test_cleaning_up_that_was_given_up_is_taken_up_again(platform: Platform, by_hand: bool) -> None:
    platform.containers.failing.add("vzdump")
    backup_id = await platform.create()
    operation_store = build_operation_store(platform.db)
    operation = await operation_store.claim_next("test")
    assert operation is not None
    given_up = {
        "status": "dead",
        "undo_attempts": 20,
        "error": "it broke",
        "lease_until": None,
        "step_index": 1,
    }
    await operation_store.update(operation, given_up)
    assert await platform.run_all() == 0
    listed = await platform.api.list_backup_dead_letters(pb.ListBackupDeadLettersRequest(), call_of(ADMIN))
    assert [(one.id, one.error) for one in listed.operations] == [(operation.id, "it broke")]
    again = pb.ReplayBackupOperationRequest(operation_id=operation.id)
    if by_hand:
        replayed = await platform.api.replay_backup_operation(again, call_of(ADMIN))
        assert (replayed.id, replayed.status) == (operation.id, "undoing")
        with pytest.raises(OperationNotDeadError):
            await platform.api.replay_backup_operation(again, call_of(ADMIN))
    else:
        assert await platform.store.revive_operations() == 1
    assert await platform.run_all() == 1
    assert (await platform.get(backup_id)).status == "failed"
    assert platform.apps.locks == {}


async def test_only_an_operation_that_was_given_up_is_replayed(platform: Platform) -> None:
    call = call_of()
    await platform.create(call)
    request = pb.ReplayBackupOperationRequest(operation_id=call.request_id)
    with pytest.raises(OperationNotDeadError, match="not dead"):
        await platform.api.replay_backup_operation(request, call_of(ADMIN))
    request = pb.ReplayBackupOperationRequest(operation_id="never")
    with pytest.raises(OperationNotFoundError, match="never"):
        await platform.api.replay_backup_operation(request, call_of(ADMIN))
