"""ListAllOperations: the operations on every app that the caller may see."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.common.core.errors import InvalidError
from services.common.rpc.call import Call
from tests.fakes.apps_service import Service, call
from tests.fakes.dead_operations import give_up


async def list_subjects(service: Service, user: Call, **wanted: Any) -> list[str]:
    answer = await service.api.list_all_operations(pb.ListAllOperationsRequest(**wanted), user)
    assert answer.total == len(answer.operations)
    return [one.app_id for one in answer.operations]


async def test_a_user_sees_those_on_own_apps_and_an_administrator_all(service: Service) -> None:
    mine, theirs = await service.deploy("web-01"), await service.deploy("web-02", user=2)
    assert await list_subjects(service, call()) == [mine.id]
    assert await list_subjects(service, call(user=2)) == [theirs.id]
    assert await list_subjects(service, call(user=2), app_id=mine.id) == []
    assert await list_subjects(service, call(9, staff=True)) == [theirs.id, mine.id]  # newest first


async def test_filters_select_by_state_kind_app_and_time(service: Service) -> None:
    first, second = await service.deploy("web-01"), await service.deploy("web-02")
    await give_up(service, first)
    staff = call(9, staff=True)
    assert await list_subjects(service, staff, status="failed") == [first.id]  # one that was given up
    assert await list_subjects(service, staff, status="unfinished") == [second.id]
    assert await list_subjects(service, staff, status="queued") == [second.id]
    assert await list_subjects(service, staff, kind="deploy_app", app_id=second.id) == [second.id]
    assert await list_subjects(service, staff, kind="clone_app") == []
    long_ago, later = Timestamp(seconds=1), Timestamp(seconds=4_000_000_000)
    assert len(await list_subjects(service, staff, since=long_ago)) == 2
    assert await list_subjects(service, staff, since=later) == []


@pytest.mark.parametrize(("page", "shown"), [(1, 2), (2, 1), (3, 0)])
async def test_pages_split_the_list(service: Service, page: int, shown: int) -> None:
    for number in range(3):
        await service.deploy(f"web-0{number}")
    request = pb.ListAllOperationsRequest(page=page, per_page=2)
    answer = await service.api.list_all_operations(request, call())
    assert (answer.total, len(answer.operations), answer.page, answer.per_page) == (3, shown, page, 2)


async def test_pages_behind_an_operation_stay_while_operations_begin_and_end(service: Service) -> None:
    for number in range(5):
        await service.deploy(f"web-{number:02}")
    everything = (await service.api.list_all_operations(pb.ListAllOperationsRequest(), call())).operations
    seen: list[str] = []
    after = ""
    while True:
        request = pb.ListAllOperationsRequest(per_page=2, after=after, status="queued")
        page = (await service.api.list_all_operations(request, call())).operations
        if not page:
            break
        seen += [one.id for one in page]
        after = page[-1].id
        await give_up(service, app_pb2.App(id=page[-1].app_id))  # it leaves the filter
        await service.deploy(f"new-{len(seen):02}")
    assert seen == [one.id for one in everything]
    with pytest.raises(InvalidError, match="begin again without it"):
        await service.api.list_all_operations(pb.ListAllOperationsRequest(after=after), call(2))
