"""ListBackupDeadLetters: operations that were given up."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.store import build_operation_store
from services.common.core.errors import InvalidError
from tests.unit.backups.platform import ADMIN, OTHER_APP, STRANGER, Platform, call_of


async def give_up(platform: Platform, error: str) -> str:
    operation_store = build_operation_store(platform.db)
    operation = await operation_store.claim_next("test")
    assert operation is not None
    await operation_store.update(operation, {"status": "dead", "error": error, "lease_until": None})
    return operation.id


async def test_only_operations_that_were_given_up_are_listed_newest_first(platform: Platform) -> None:
    request = pb.ListBackupDeadLettersRequest()
    await platform.create()
    assert (await platform.api.list_backup_dead_letters(request, call_of(ADMIN))).total == 0
    first = await give_up(platform, "the storage is away")
    platform.add_app()
    await platform.api.create_backup(pb.CreateBackupRequest(app_id=OTHER_APP.app_id), call_of(STRANGER))
    second = await give_up(platform, "the host is away")
    listed = await platform.api.list_backup_dead_letters(request, call_of(ADMIN))
    assert [(one.id, one.error) for one in listed.operations] == [
        (second, "the host is away"),
        (first, "the storage is away"),
    ]
    request = pb.ListBackupDeadLettersRequest(page=2, per_page=1)
    page = await platform.api.list_backup_dead_letters(request, call_of(ADMIN))
    assert ([one.id for one in page.operations], page.total, page.page, page.per_page) == ([first], 2, 2, 1)
    request = pb.ListBackupDeadLettersRequest(per_page=1, after=second)
    page = await platform.api.list_backup_dead_letters(request, call_of(ADMIN))
    assert ([one.id for one in page.operations], page.total) == ([first], 2)
    request = pb.ListBackupDeadLettersRequest(after=first)
    assert not (await platform.api.list_backup_dead_letters(request, call_of(ADMIN))).operations


async def test_an_operation_that_went_on_meanwhile_has_its_place_all_the_same(platform: Platform) -> None:
    await platform.create()
    first = await give_up(platform, "the storage is away")
    platform.add_app()
    await platform.api.create_backup(pb.CreateBackupRequest(app_id=OTHER_APP.app_id), call_of(STRANGER))
    second = await give_up(platform, "the host is away")
    await platform.api.replay_backup_operation(
        pb.ReplayBackupOperationRequest(operation_id=second), call_of(ADMIN)
    )
    request = pb.ListBackupDeadLettersRequest(after=second)
    listed = await platform.api.list_backup_dead_letters(request, call_of(ADMIN))
    assert ([one.id for one in listed.operations], listed.total) == ([first], 1)


@pytest.mark.parametrize(
    "request_",
    [pb.ListBackupDeadLettersRequest(after="nothing"), pb.ListBackupDeadLettersRequest(page=1, after="x")],
)
async def test_a_page_begins_behind_one_operation_that_there_is(
    platform: Platform, request_: pb.ListBackupDeadLettersRequest
) -> None:
    with pytest.raises(InvalidError) as refused:
        await platform.api.list_backup_dead_letters(request_, call_of(ADMIN))
    assert [each.field for each in refused.value.violations] == ["after"]
